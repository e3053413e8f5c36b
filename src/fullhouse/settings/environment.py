"""Reading the settings from the environment, and writing them for another process."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from fullhouse.settings.fields import PREFIX, Settings, SettingsError, checked_key

_TEST_PREFIX = "FULLHOUSE_TEST_"


def read_settings(environ: Mapping[str, str], folder: Path | None = None) -> Settings:
    """Read the settings from the environment and from ``.env`` in ``folder``.

    Raises ``SettingsError`` for the first unknown name, or else for all invalid values, in one line.
    """
    given = {**(_read_env_file(folder / ".env") if folder else {}), **environ}
    # An empty variable means the default: that is how one is unset in most tools that pass them on.
    values = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in given.items()
        if name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX) and value != ""
    }
    for name in values:
        if name not in Settings.model_fields:
            raise SettingsError(_unknown(name))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        # A value that could be one of several types has a problem for each; the first says enough.
        problems = {str(problem["loc"][0]): problem["msg"] for problem in reversed(error.errors())}
        raise SettingsError("; ".join(_invalid(field, problems[field]) for field in sorted(problems))) from None
    if settings.secret_key is not None:
        checked_key(settings.secret_key)
    return settings


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables that give another process the same settings."""
    values = {variable(name): written(getattr(settings, name)) for name in Settings.model_fields}
    return {name: value for name, value in values.items() if value}


def written(value: object) -> str:
    """Return a setting's value as it is written in its variable; empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in cast("tuple[object, ...]", value))
    return str(value)


def variable(field: str) -> str:
    """Return the name of the environment variable of a setting."""
    return PREFIX + field.upper()


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"{path.name} line {number}: write NAME=value")
        values[name.strip().removeprefix("export ").strip()] = value.strip().strip("\"'")
    return values


def _unknown(name: str) -> str:
    near = get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {variable(near[0])}?" if near else "; 'fullhouse settings' lists them all"
    return f"{variable(name)} is not a setting{hint}"


def _invalid(field: str, message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{variable(field)}: {text[:1].lower()}{text[1:]}"
