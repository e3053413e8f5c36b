"""Load: bytes over real connections, latency from when a request was due, and what is lost is counted."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from fullhouse.operations.bench.bench import Log, by_status
from fullhouse.operations.bench.load import FAILED, NOT_ANSWERED, OpenLoop, closed_loop
from fullhouse.operations.bench.wire import LOST, Answer, Wire, open_wires, request

ASK = request("GET", "/")
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(answer: Serve) -> AsyncGenerator[int]:
    """Run a server that handles each request with ``answer`` until the block ends; give its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD)


async def test_an_answer_in_pieces_is_put_together() -> None:
    async def in_pieces(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 409 Conflict\r\ncontent-length: 5\r\nx: y\r\n\r\nhello":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with served(in_pieces) as port:
        wire = Wire("127.0.0.1", port)
        answers = [await wire.fetch(ASK) for _ in range(2)]
        wire.close()
    assert [(answer.status, answer.body) for answer in answers] == [(409, b"hello")] * 2
    assert b"x: y" in answers[0].head


async def test_a_request_for_which_there_is_no_room_at_once_is_sent_whole() -> None:
    body = b"x" * 8_000_000
    came: list[bytes] = []

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readexactly(len(body)))
        writer.write(GOOD)

    async with served(read) as port:
        wire = Wire("127.0.0.1", port)
        assert [(await wire.fetch(request("POST", "/", (), body))).status for _ in range(2)] == [200, 200]
        wire.close()
    assert came == [body] * 2


async def test_who_waits_for_an_answer_on_a_connection_that_is_closed_is_told() -> None:
    async with served(_at_once) as port:
        wire, other = Wire("127.0.0.1", port), Wire("127.0.0.1", port)
        asked = asyncio.ensure_future(wire.fetch(b"GET"))
        await other.fetch(ASK)
        wire.close()
        assert not wire.is_open
        assert (await asked).status == LOST
        assert (await wire.fetch(ASK)).status == 200, "over a new connection"
        wire.close()
        other.close()


async def test_a_connection_that_ends_is_a_lost_answer_and_the_next_goes_over_a_new_one() -> None:
    asked = 0

    async def drop_first(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            writer.transport.abort()
        else:
            writer.write(GOOD)

    async with served(drop_first) as port:
        wire = Wire("127.0.0.1", port)
        assert (await wire.fetch(ASK)).status == LOST
        assert (await wire.fetch(ASK)).status == 200
        wire.close()


async def test_a_stall_is_in_the_latency_of_all_who_came_meanwhile() -> None:
    """One connection, one answer held back: a client that waits would have seen one slow answer, and no others."""
    stalled = False

    async def stall_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal stalled
        if not stalled:
            stalled = True
            await asyncio.sleep(0.4)
        writer.write(GOOD)

    async with served(stall_once) as port:
        wires = await open_wires("127.0.0.1", port, 1)
        load = await OpenLoop(wires, lambda _: ASK, by_status).run("stall", 100.0, 0.5)
        wires[0].close()
    assert load.counts == {"accepted": 50}
    assert load.percentile("accepted", 50.0) > 100.0
    assert load.percentile("accepted", 100.0) >= 400.0
    assert sum(load.timeline["accepted"]) == 50


async def test_what_is_never_answered_is_counted() -> None:
    async def never(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with served(never) as port:
        wires = await open_wires("127.0.0.1", port, 2)
        loop = OpenLoop(wires, lambda _: ASK, by_status, drain_seconds_max=0.1)
        load = await loop.run("silence", 20.0, 0.2)
        for wire in wires:
            wire.close()
    assert load.counts == {NOT_ANSWERED: 4}


async def test_who_goes_on_counts_when_all_is_done_and_keeps_the_connection_until_then() -> None:
    went: list[bytes] = []

    async def go_on(wire: Wire, answer: Answer) -> str:
        went.append(answer.body)
        if len(went) == 3:
            raise LookupError
        assert (await wire.fetch(ASK)).status == 200
        await asyncio.sleep(0.02)
        return "bought"

    async with served(_at_once) as port:
        wires = await open_wires("127.0.0.1", port, 1)
        load = await OpenLoop(wires, lambda _: ASK, by_status, go_on=go_on).run("visits", 1_000.0, 0.01)
        wires[0].close()
    assert load.counts == {"bought": 9, FAILED: 1}
    assert load.percentile("bought", 100.0) >= 8 * 20.0, "one after the other, each from its own time"


async def test_a_closed_loop_asks_again_as_soon_as_it_is_answered() -> None:
    async with served(_at_once) as port:
        wires = await open_wires("127.0.0.1", port, 4)
        numbers: list[int] = []

        def judge(number: int, answer: Answer) -> str:
            numbers.append(number)
            return by_status(number, answer)

        rate, outcomes = await closed_loop(wires, 0.2, lambda _: ASK, judge)
        for wire in wires:
            wire.close()
    assert set(outcomes) == {"accepted"}
    assert sorted(numbers) == list(range(outcomes.total()))
    assert rate > 0


def test_the_log_keeps_what_was_promised() -> None:
    log = Log()
    made = b'{"id":"0190a1b2-0000-7000-8000-000000000001","token":"x"}'
    assert log.judge(0, Answer(201, b"", made)) == "accepted"
    assert log.judge(1, Answer(409, b"", b"{}")) == "refused"
    assert log.judge(2, Answer(503, b"", b"{}")) == "told to wait"
    assert log.judge(3, Answer(LOST, b"", b"")) == "connection lost"
    assert log.judge(4, Answer(500, b"", b"{}")) == "status 500"
    assert log.acknowledged == [b"0190a1b2-0000-7000-8000-000000000001"]
