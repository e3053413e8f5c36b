"""Those who come too many are answered a few in each turn of the event loop, in order, and nobody is forgotten."""

import asyncio
from itertools import pairwise

from harness.wire import PATIENCE_SECONDS, connected, read_answer, serving
from starlette.types import Receive, Scope, Send

from fullhouse.web.overload import Gate
from fullhouse.web.turns import ROOM, Turns

HOLD = b"POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class _Newcomer:
    def __init__(self, number: int, told: list[int]) -> None:
        self.number, self.told = number, told

    def take_turn(self) -> None:
        self.told.append(self.number)


async def test_others_have_their_turns_between() -> None:
    waiting, told = Turns(), list[int]()
    for number in range(5 * ROOM):
        waiting.add(_Newcomer(number, told))
    assert told == [], "nobody before the turn"
    seen = [0]
    while len(told) < 5 * ROOM:
        await asyncio.sleep(0)
        assert not waiting.has_room() or len(told) == 5 * ROOM, "nobody is before those who wait"
        seen.append(len(told))
    assert told == list(range(5 * ROOM))
    assert all(after - before <= ROOM for before, after in pairwise(seen)), "few in each turn"


async def test_a_turn_has_room_for_some_at_once_and_the_next_for_as_many() -> None:
    waiting, told = Turns(), list[int]()
    for _ in range(3):
        assert all(waiting.has_room() for _ in range(ROOM))
        assert not waiting.has_room()
        await asyncio.sleep(0)
    assert all(waiting.has_room() for _ in range(ROOM))
    waiting.add(_Newcomer(1, told))
    await asyncio.sleep(0)
    assert told == [1]
    assert [waiting.has_room() for _ in range(ROOM)] == [True] * (ROOM - 1) + [False]


def _fill(turns: Turns) -> None:
    while turns.has_room():
        pass


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_who_is_let_in_by_then_is_served_and_who_went_away_is_passed_over() -> None:
    gate, waiting = Gate(1), Turns()
    gate.count(1)
    async with serving(_answer, gate=gate, turns=waiting) as (server, port), connected(port) as (reader, writer):
        async with connected(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as (other, _):
            await read_answer(other)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(server.server_state.connections) != 1:  # noqa: ASYNC110 (the server tells nobody)
                await asyncio.sleep(0.001)
        (connection,) = server.server_state.connections
        _fill(waiting)
        connection.data_received(HOLD)  # pyright: ignore[reportAttributeAccessIssue] (ours)
        gate.count(-1)
        assert (await read_answer(reader))[0] == 200
        gate.count(1)
        _fill(waiting)
        connection.data_received(HOLD)  # pyright: ignore[reportAttributeAccessIssue] (ours)
        connection.shutdown()
        status, headers, _ = await read_answer(reader)
        assert (status, headers["connection"]) == (503, "close")
        assert await reader.read() == b""
        writer.close()
