"""Those who come too many are answered a few in each turn of the event loop, in order, and nobody is forgotten."""

import asyncio
import time

import pytest
from harness.wire import PATIENCE_SECONDS, connected, read_answer, serving
from starlette.types import Receive, Scope, Send

from fullhouse.web import turns
from fullhouse.web.overload import Gate
from fullhouse.web.turns import Turns

HOLD = b"POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class _Newcomer:
    def __init__(self, number: int, told: list[int]) -> None:
        self.number, self.told = number, told

    def take_turn(self) -> None:
        self.told.append(self.number)


async def test_others_have_their_turns_between(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1_000_000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(times) * turns.TURN_SECONDS / 4)
    waiting, told = Turns(), list[int]()
    for number in range(20):
        waiting.add(_Newcomer(number, told))
    seen: list[int] = []
    while len(told) < 20:
        await asyncio.sleep(0)
        seen.append(len(told))
    assert told == list(range(20))
    assert all(after - before <= 4 for before, after in zip([0, *seen], seen, strict=False)), "few in each turn"
    waiting.add(_Newcomer(20, told))
    await asyncio.sleep(0)
    assert told[-1] == 20, "the next begins anew"


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_who_is_let_in_by_then_is_served_and_who_went_away_is_passed_over() -> None:
    gate = Gate(1)
    gate.count(1)
    async with serving(_answer, gate=gate) as (server, port), connected(port) as (reader, writer):
        async with connected(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as (other, _):
            await read_answer(other)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(server.server_state.connections) != 1:  # noqa: ASYNC110 (the server tells nobody)
                await asyncio.sleep(0.001)
        (connection,) = server.server_state.connections
        connection.data_received(HOLD)  # pyright: ignore[reportAttributeAccessIssue] (ours)
        gate.count(-1)
        assert (await read_answer(reader))[0] == 200
        gate.count(1)
        connection.data_received(HOLD)  # pyright: ignore[reportAttributeAccessIssue] (ours)
        connection.shutdown()
        status, headers, _ = await read_answer(reader)
        assert (status, headers["connection"]) == (503, "close")
        assert await reader.read() == b""
        writer.close()
