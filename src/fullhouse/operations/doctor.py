"""Doctor: look at each part of the product from outside, and say what is there and what is wrong with it."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from fullhouse.core.clock import Clock
from fullhouse.core.errors import DomainError
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.port import QueueDepth
from fullhouse.infra.mailer import open_mailer
from fullhouse.infra.migrate import missing_revisions
from fullhouse.infra.object_store import open_object_store
from fullhouse.infra.outbox_parked import measure_outbox
from fullhouse.infra.postgres import EVERY_ORGANIZATION, NO_ORGANIZATION, connection, open_pool
from fullhouse.infra.resources import Places, open_valkey
from fullhouse.infra.system import make_id
from fullhouse.workers.subscriptions import QUEUES

POSTGRES_VERSION_MIN = 15
VALKEY_VERSION_MIN = (7, 2)
REDIS_VERSION_MIN = (7, 0)
CLOCK_SECONDS_MAX = 5
DISK_BYTES_MIN = 500_000_000
OUTBOX_SECONDS_MAX = 60
QUEUE_SECONDS_MAX = 600
_LOOK_SECONDS_MAX = 10
WALL_IS_DOWN: LiteralString = """
SELECT CASE
    WHEN (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) THEN
        format('%s passes it, and may not work as fullhouse_app', current_user)
    WHEN EXISTS (
        SELECT FROM pg_policy p CROSS JOIN unnest(p.polroles) AS r(role)
        WHERE p.polname = 'every_organization' AND pg_has_role(current_user, r.role, 'USAGE')
    ) THEN format('%s crosses organizations', current_user)
    ELSE (
        SELECT 'not on ' || string_agg(c.relname, ', ' ORDER BY c.relname)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id'
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    ) END
"""
"""Why row level security does not hold the program back as it is signed in; null if it does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part, in one line."""

    part: str
    is_well: bool
    detail: str


class NotWell(Exception):
    """A part is there and does not do. The text says why."""


async def examine(places: Places, data_dir: Path, clock: Clock) -> list[Finding]:
    """Look at every part, each for at most ten seconds; never raises for a part that is not well."""
    looks: dict[str, Callable[[], Awaitable[str]]] = {
        "database": lambda: _database(places, clock),
        "valkey": lambda: _valkey(places.valkey_url),
        "object store": lambda: _object_store(places.object_store_url),
        "mail": lambda: _mail(places.mail_url, places.mail_from),
        "queues": lambda: _queues(places),
        "data folder": lambda: _data_folder(data_dir),
    }
    return list(await asyncio.gather(*(_look(part, look) for part, look in looks.items())))


async def _look(part: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(_LOOK_SECONDS_MAX):
            return Finding(part, is_well=True, detail=await look())
    except TimeoutError:
        return Finding(part, is_well=False, detail=f"no answer in {_LOOK_SECONDS_MAX} s")
    except DomainError as error:
        return Finding(part, is_well=False, detail=error.detail)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
        text = str(error).strip() or type(error).__name__
        return Finding(part, is_well=False, detail=text.splitlines()[0])


async def _database(places: Places, clock: Clock) -> str:
    pool = await open_pool(places.database_url, size_max=1, pooler=places.database_pooler)
    try:
        async with connection(pool, NO_ORGANIZATION) as conn:
            number = int(await conn.fetchval("SELECT current_setting('server_version_num')"))
            name = await conn.fetchval("SELECT current_setting('server_version')")
            seconds = (await conn.fetchval("SELECT clock_timestamp()") - clock()).total_seconds()
            durable = await conn.fetchval("SELECT current_setting('fsync') = 'on'")
            missing = await missing_revisions(conn)
            wall = await conn.fetchval(WALL_IS_DOWN)
    finally:
        await pool.close()
    if number // 10_000 < POSTGRES_VERSION_MIN:
        raise NotWell(f"PostgreSQL {name} is too old; {POSTGRES_VERSION_MIN} is needed")
    if missing:
        raise NotWell(f"PostgreSQL {name} lacks revision {', '.join(missing)}; run 'fullhouse migrate'")
    if abs(seconds) > CLOCK_SECONDS_MAX:
        raise NotWell(f"the clock of PostgreSQL {name} differs by {seconds:.0f} s from the one here")
    if wall:
        raise NotWell(f"no row level security: {wall}; see docs/how-to/separate-database-roles.md")
    if not durable:
        raise NotWell(f"PostgreSQL {name} runs with fsync off: a power cut would lose paid orders")
    return f"PostgreSQL {name}, up to date, behind row level security"


async def _valkey(url: str | None) -> str:
    if url is None:
        raise NotWell("FULLHOUSE_VALKEY_URL is not set")
    client: Any = open_valkey(url)  # its answers carry few types
    try:
        info = await client.info("server")
    finally:
        await client.aclose()
    # Valkey also gives the version of the Redis that it is compatible with.
    name, least = ("valkey", VALKEY_VERSION_MIN) if "valkey_version" in info else ("redis", REDIS_VERSION_MIN)
    version = str(info[f"{name}_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < least:
        raise NotWell(f"{name.title()} {version} is too old; {'.'.join(map(str, least))} is needed")
    return f"{name.title()} {version}"


async def _object_store(url: str) -> str:
    await open_object_store(url).check()
    return _place(url)


async def _mail(url: str, sender: str) -> str:
    await open_mailer(url, sender).check()
    return _place(url)


async def _queues(places: Places) -> str:
    pool = await open_pool(places.database_url, size_max=2, pooler=places.database_pooler)
    broker = open_broker(places.broker_url, pool=pool, database_url=places.lasting_url(), make_id=make_id)
    try:
        await broker.declare(QUEUES)
        depths = await broker.depth()
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            outbox = await measure_outbox(conn)
    finally:
        await broker.close()
        await pool.close()
    lines = [QueueDepth("outbox", outbox.count, outbox.oldest_seconds), *depths]
    late = [
        line
        for line in lines
        if (line.oldest_seconds or 0.0) > (OUTBOX_SECONDS_MAX if line is lines[0] else QUEUE_SECONDS_MAX)
    ]
    waiting = ", ".join(f"{line.queue} {line.count} ({_age(line)})" for line in lines if line.count)
    kept = f"; {outbox.dead_count} dead letters wait" if outbox.dead_count else ""
    if outbox.parked_count:
        raise NotWell(f"{outbox.parked_count} messages are parked; see 'fullhouse dead-letters list --queue outbox'")
    if late:
        raise NotWell(f"not worked off: {waiting}{kept}; does 'fullhouse worker' run?")
    return (f"waiting: {waiting}" if waiting else "nothing waits") + kept


def _age(line: QueueDepth) -> str:
    return "age unknown" if line.oldest_seconds is None else f"oldest {line.oldest_seconds:.0f} s"


async def _data_folder(folder: Path) -> str:
    await asyncio.sleep(0)
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES_MIN:
        raise NotWell(f"{folder} has {free // 1_000_000} MB left; {DISK_BYTES_MIN // 1_000_000} are needed")
    return f"{folder}, {free // 1_000_000_000} GB left"


def _place(url: str) -> str:
    """Show where it is without the password and the query, which may hold a key."""
    return re.sub(r"//[^/@]*@", "//", url.split("?", maxsplit=1)[0])
