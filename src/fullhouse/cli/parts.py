"""Settings for commands that need the parts of the product: where no server is given, the embedded one is used."""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fullhouse.cli.supervise import Server
from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.system import random_text
from fullhouse.settings import Settings, read_settings

KEY_FILE = "secret.key"


def load_settings(**options: Any) -> Settings:  # noqa: ANN401  # values of options, checked like all settings
    """Read the settings; an option that was given on the command line goes before them all."""
    given = {f"FULLHOUSE_{name.upper()}": str(value) for name, value in options.items() if value is not None}
    return read_settings({**os.environ, **given}, Path.cwd())


@contextmanager
def existing_parts(settings: Settings) -> Generator[Settings]:
    """Fill in the embedded servers of the data folder: those that run, or else started for as long as the block runs.

    Raises ``OperatorError`` if no server is given and nothing was ever started in the data folder.
    """
    folder = settings.data_dir
    if settings.database_url is None and not (folder / "postgres" / "data").exists():
        raise OperatorError(
            f"there is no database in {folder}; run 'fullhouse up' first, or give FULLHOUSE_DATABASE_URL"
        )
    running = {
        "database_url": settings.database_url or postgres.running_url(folder / "postgres"),
        "valkey_url": settings.valkey_url or valkey.running_url(folder / "valkey"),
    }
    with ExitStack() as stack:
        rest, _ = start_embedded(_with_defaults(settings).model_copy(update=running), stack)
        yield rest


def start_embedded(settings: Settings, stack: ExitStack) -> tuple[Settings, dict[str, Server]]:
    """Start an embedded server for each URL that is missing; the stack stops what was started.

    Returns the settings with nothing missing, and the servers by name. Raises ``OperatorError`` if a data folder is in
    use or a server does not start.
    """
    settings = _with_defaults(settings)
    changes: dict[str, str] = {}
    servers: dict[str, Server] = {}
    if settings.database_url is None:
        database = postgres.start(settings.data_dir / "postgres")
        stack.callback(database.stop)
        servers["PostgreSQL"], changes["database_url"] = database, database.url
    if settings.valkey_url is None:
        cache = valkey.start(settings.data_dir / "valkey")
        stack.callback(cache.stop)
        servers["Valkey"], changes["valkey_url"] = cache, cache.url
    return settings.model_copy(update=changes), servers


def _with_defaults(settings: Settings) -> Settings:
    """Fill in what the embedded database brings with it: a kept secret key, and ease in trying it out."""
    changes: dict[str, Any] = {"data_dir": settings.data_dir.absolute()}
    if settings.database_url is None:
        changes["secret_key"] = settings.secret_key or kept_secret_key(settings.data_dir)
        changes["simulated_payments"] = settings.simulated_payments is not False
        changes["sign_in_unverified"] = settings.sign_in_unverified is not False
    return settings.model_copy(update=changes)


def kept_secret_key(data_dir: Path) -> str:
    """Return the secret key of the data folder, made at the first start and readable by its owner alone."""
    path = data_dir / KEY_FILE
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and renamed: a key that is lost by half would void every ticket.
        aside = path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(random_text(48))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    return path.read_text(encoding="ascii").strip()
