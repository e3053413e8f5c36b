"""The published contract of messages, as a reader elsewhere uses it: from the kept files alone."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from jsonschema import Draft202012Validator, FormatChecker

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@cache
def kept_schemas() -> dict[str, dict[str, Any]]:
    """Return every version of every message, by name: ``order.paid.v1``."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "messages").glob("*.json"))}


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(kept_schemas()[name], format_checker=FormatChecker())


async def broken_messages(database_url: str) -> list[str]:
    """Say of every message in the outbox that does not keep its published schema what is wrong with it.

    Types that only tests know are passed over; a version of the product's types that was not published is not.
    """
    conn = await asyncpg.connect(database_url)
    try:
        if await conn.fetchval("SELECT to_regclass('outbox')") is None:
            return []
        rows = await conn.fetch("SELECT DISTINCT type, version, data::text AS data FROM outbox")
    finally:
        await conn.close()
    types = {name.rpartition(".v")[0] for name in kept_schemas()}
    return [problem for row in rows if row["type"] in types for problem in _problems(row)]


def _problems(row: Any) -> list[str]:
    name = f"{row['type']}.v{row['version']}"
    if name not in kept_schemas():
        return [f"{name} was not published"]
    return [
        f"{name}: {error.json_path} {error.message}" for error in validator(name).iter_errors(json.loads(row["data"]))
    ]
