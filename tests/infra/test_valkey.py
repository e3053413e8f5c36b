"""Valkey makes things faster, and nothing fails because it is away."""

import asyncio
from datetime import UTC, datetime, timedelta

from valkey.asyncio import Valkey

from fullhouse.infra.resources import open_valkey
from fullhouse.infra.telemetry import render_metrics
from fullhouse.infra.valkey import REST_SECONDS, Shield


class StoppedClock:
    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def count(name: str, purpose: str) -> float:
    for line in render_metrics().decode().splitlines():
        if line.startswith(f'fullhouse_{name}_total{{purpose="{purpose}"}}'):
            return float(line.rpartition(" ")[2])
    return 0.0


async def test_it_answers_what_valkey_answers(valkey: Valkey) -> None:
    shield = Shield(valkey, StoppedClock())
    await valkey.set("thing", "3")
    assert await shield.ask("reading", lambda client: client.get("thing"), None) == b"3"
    assert await shield.ask("reading", lambda client: client.get("nothing"), b"x") is None


async def test_it_answers_the_fallback_counts_and_rests() -> None:
    clock = StoppedClock()
    away = open_valkey("unix:///nowhere/valkey.sock")
    shield = Shield(away, clock)
    asked = 0

    async def call(client: Valkey) -> bytes:
        nonlocal asked
        asked += 1
        found: bytes = await client.get("thing")
        return found

    assert await shield.ask("away", call, b"fallback") == b"fallback"
    assert await shield.ask("away", call, b"fallback") == b"fallback"
    assert (asked, count("valkey_failures", "away"), count("valkey_skipped", "away")) == (1, 1, 1)
    clock.now += timedelta(seconds=REST_SECONDS)
    assert await shield.ask("away", call, b"fallback") == b"fallback"
    assert asked == 2
    await away.aclose()


async def test_a_server_that_hangs_is_not_waited_for(valkey: Valkey) -> None:
    shield = Shield(valkey, StoppedClock())

    async def hang(_client: Valkey) -> str:
        await asyncio.Event().wait()
        return "never"

    assert await shield.ask("hanging", hang, "fallback") == "fallback"
    assert count("valkey_failures", "hanging") == 1
