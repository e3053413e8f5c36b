"""Commands about the settings, and about whether the parts that they name are well."""

import asyncio
import re
import sys
from typing import cast

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.cli.progress import waiting
from fullhouse.infra import system
from fullhouse.operations.doctor import examine
from fullhouse.settings import Settings, variable, written

_NOT_WELL = 1


@click.command()
@click.option("--env", "as_env", is_flag=True, help="Write them as the file .env.example.")
def settings(as_env: bool) -> None:
    """Show every setting with its value, default and meaning.

    A setting is an environment variable, or a line in a file .env in the current folder. An unknown or invalid one
    stops every command.
    """
    if as_env:
        click.echo(env_example(), nl=False)
        return
    values = load_settings()
    for name, field in Settings.model_fields.items():
        value = shown(values, name)
        changed = "" if value == default_of(name) else f"    (default: {default_of(name) or 'empty'})"
        click.echo(f"{variable(name)}={value}{changed}")
        click.echo(f"    {field.description}")


@click.command()
def doctor() -> None:
    """Look at each part that the settings name: whether it is there, new enough, and up to date.

    Exits with 1 if a part is not well.
    """
    given = load_settings()
    with existing_parts(given) as found, waiting("Looking at each part"):
        findings = asyncio.run(examine(found.places(), found.data_dir, system.now))
    click.echo(f"ok   settings: {_changed(given)}")
    for finding in findings:
        mark = "ok  " if finding.is_well else "FAIL"
        click.echo(f"{mark} {finding.part}: {finding.detail}")
    if not all(finding.is_well for finding in findings):
        sys.exit(_NOT_WELL)


def _changed(values: Settings) -> str:
    names = [variable(name) for name in Settings.model_fields if written(getattr(values, name)) != default_of(name)]
    return ", ".join(names) if names else "all as they come"


def env_example() -> str:
    """Write the file ``.env.example``: every setting with its default, as a comment."""
    lines = ["# Settings of Fullhouse. Copy this file to .env, and take the # from what you change."]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"#{variable(name)}={default_of(name)}"]
    return "\n".join(lines) + "\n"


def default_of(name: str) -> str:
    """Return the default of a setting as it would be written; empty if it depends on others."""
    return written(Settings.model_fields[name].default)


def shown(settings: Settings, name: str) -> str:
    """Return the value of a setting without what is secret in it."""
    value = written(getattr(settings, name))
    marks = cast("dict[str, bool]", Settings.model_fields[name].json_schema_extra or {})
    if value and marks.get("secret"):
        return "(hidden)"
    if marks.get("url"):
        hidden = re.sub(r"//([^/@:]*):[^/@]*@", r"//\1:***@", value)
        return re.sub(r"((?:key|password|secret)[^=&]*=)[^&]*", r"\1***", hidden)
    return value
