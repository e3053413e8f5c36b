"""Opening the parts: a database that recovers is waited for, one that refuses is not."""

import asyncio
import struct
from pathlib import Path

import pytest

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.resources import Places, open_resources


def refusal(code: str, message: str) -> bytes:
    """Return an ErrorResponse of PostgreSQL's protocol."""
    fields = b"".join(kind + text.encode() + b"\0" for kind, text in ((b"S", "FATAL"), (b"C", code), (b"M", message)))
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"


async def test_database_that_recovers_is_waited_for(tmp_path: Path) -> None:
    answers = [("57P03", "the database system is starting up")] * 3 + [("28P01", "who are you?")]
    given = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal given
        await reader.read(1000)
        writer.write(refusal(*answers[min(given, len(answers) - 1)]))
        given += 1
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    places = Places(
        database_url=f"postgresql://nobody@127.0.0.1:{port}/none?sslmode=disable",
        valkey_url="valkey://127.0.0.1:1",
        broker_url="postgres:",
        object_store_url=str(tmp_path),
        mail_url=str(tmp_path),
        mail_from="Tickets <tickets@example.org>",
        secret_key=bytes(32),
        public_url="http://127.0.0.1",
    )
    async with server:
        with pytest.raises(OperatorError, match="who are you"):
            async with open_resources(places):
                pass
    assert given == len(answers)
