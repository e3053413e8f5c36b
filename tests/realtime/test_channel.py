"""Telling those who watch: the same bytes to all who read; whoever does not is woken to look for itself."""

import asyncio

from harness.wire import connected, serving
from realtime.runs import begin
from starlette.types import Receive, Scope, Send

from fullhouse.infra.hot import CHUNK, Pipe, piece_of_answer, pipe_of
from fullhouse.realtime.channel import TOLD_AT_ONCE_MIN, Channel, Place
from fullhouse.reservations.stock import StockChange


class _Pipe:
    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.chunks: list[bytes] = []

    def write_piece(self, chunk: bytes) -> bool:
        if self.reads:
            self.chunks.append(chunk)
        return self.reads


def _waiting(channel: Channel, number: int, pipe: Pipe | None) -> tuple[Place, "asyncio.Future[None]"]:
    place = Place(number, pipe)
    return place, channel.wait(place)


async def test_who_reads_is_told_without_being_woken_and_the_others_are_woken() -> None:
    run = begin()
    channel = run.channel
    run.step([StockChange(channel.version + 1, [0], [1])])
    quick, stuck, behind = _Pipe(), _Pipe(reads=False), _Pipe()
    places = [
        _waiting(channel, channel.number, quick),
        _waiting(channel, channel.number, stuck),
        _waiting(channel, channel.number - 1, behind),
        _waiting(channel, channel.number, None),
    ]
    chunks: list[bytes] = []
    for seat in (1, 2):
        run.step([StockChange(channel.version + 1, [seat], [1])])
        chunks.append(channel.piece()[CHUNK])
        await channel.tell()
    assert quick.chunks == chunks
    assert quick.chunks[0] is chunks[0], "everybody gets the same bytes"
    assert behind.chunks == []
    assert [woken.done() for _, woken in places] == [False, True, True, True]
    assert [place.number for place, _ in places] == [3, 1, 0, 1]
    channel.end()
    assert places[0][1].done()


async def test_who_has_everything_is_told_nothing_twice() -> None:
    run = begin()
    pipe = _Pipe()
    run.step([StockChange(run.channel.version + 1, [0], [1])])
    _, woken = _waiting(run.channel, run.channel.number, pipe)
    await run.channel.tell()
    assert (pipe.chunks, woken.done()) == ([], False)


async def test_an_event_that_comes_while_many_are_told_is_missed_by_nobody() -> None:
    run = begin()
    channel = run.channel
    pipes = [_Pipe() for _ in range(TOLD_AT_ONCE_MIN + 1)]
    places = [_waiting(channel, 0, pipe) for pipe in pipes]
    run.step([StockChange(channel.version + 1, [0], [1])])
    telling = asyncio.create_task(channel.tell())
    await asyncio.sleep(0)
    assert sum(len(pipe.chunks) for pipe in pipes) == TOLD_AT_ONCE_MIN, "the others in another turn"
    run.step([StockChange(channel.version + 1, [1], [1])])
    await telling
    left = [woken for _, woken in places if woken.done()]
    assert len(left) == 1, "who was not told of the first looks for both"
    await channel.tell()
    assert all(len(pipe.chunks) == 2 for pipe in pipes[1:])


async def test_a_piece_goes_straight_onto_a_connection_until_its_client_leaves() -> None:
    pipes: list[Pipe | None] = []
    begun, left = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pipes.append(pipe_of(scope))
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(piece_of_answer(b"first"))
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    piece = piece_of_answer(b"second")
    async with serving(app) as (_, port):
        async with connected(port, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n") as (reader, _):
            await begun.wait()
            (pipe,) = pipes
            assert pipe is not None
            assert pipe.write_piece(piece[CHUNK])
            async with asyncio.timeout(30):
                assert (await reader.readuntil(b"second\r\n")).endswith(b"\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n")
        async with asyncio.timeout(30):
            await left.wait()
        assert not pipe.write_piece(piece[CHUNK])
