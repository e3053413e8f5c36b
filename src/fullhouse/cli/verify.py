"""``fullhouse verify``: check every promise on the live database."""

import asyncio
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, TaskID

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.cli.progress import progress_bars
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.postgres import open_pool
from fullhouse.operations.verify import CHECKS, Finding
from fullhouse.operations.verify import verify as run_checks
from fullhouse.settings import Settings

BROKEN = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON.")
@click.option("--idle", is_flag=True, help="Nothing is under way: what may take a moment must be done.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="The data folder.  [default: .data/fullhouse]"
)
def verify(*, as_json: bool, idle: bool, data_dir: Path | None) -> None:
    """Check every promise on the live database, running or not.

    Prints the rows that break one, and exits with 1 if there are any. Changes nothing.
    """
    with _database_url(load_settings(data_dir=data_dir)) as database_url, progress_bars() as bars:
        task = bars.add_task("Checking the promises", total=len(CHECKS))
        findings = asyncio.run(_verify(database_url, bars, task, idle=idle))
    if as_json:
        click.echo(json.dumps([_as_json(finding) for finding in findings], default=str, indent=2, ensure_ascii=False))
    else:
        _show(findings)
    sys.exit(BROKEN if findings else 0)


@contextmanager
def _database_url(settings: Settings) -> Generator[str]:
    """Find the database: the one that is given, which is all that is needed, or the embedded one."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with existing_parts(settings) as filled:
        yield filled.places().database_url


async def _verify(database_url: str, bars: Progress, task: TaskID, *, idle: bool) -> list[Finding]:
    try:
        pool = await open_pool(database_url, size_max=1, application_name="fullhouse-verify")
    except Exception as error:
        raise OperatorError(f"the database cannot be used: {str(error) or type(error).__name__}") from error
    try:
        await require_schema(pool)
        return await run_checks(pool, idle=idle, on_check=lambda _: bars.advance(task))
    finally:
        await pool.close()


def _show(findings: Sequence[Finding]) -> None:
    if not findings:
        click.echo(f"All promises hold: {len(CHECKS)} checks found nothing.")
    for finding in findings:
        click.echo(f"Promise {finding.promise} is broken ({finding.check}): {finding.row_count} rows. {finding.says}")
        for row in finding.rows:
            click.echo("  " + "  ".join(f"{name}={value}" for name, value in row.items()))
        if finding.row_count > len(finding.rows):
            click.echo(f"  … and {finding.row_count - len(finding.rows)} more")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "promise": finding.promise,
        "check": finding.check,
        "says": finding.says,
        "row_count": finding.row_count,
        "rows": list(finding.rows),
    }
