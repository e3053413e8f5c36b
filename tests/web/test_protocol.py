"""Connections are bounded in number, time and size, before there is a request to speak of."""

import asyncio
import json
from typing import Any

import pytest
from harness.waiting import until
from harness.wire import PATIENCE_SECONDS, Answer, connected, read_answer, serving
from starlette.types import Receive, Scope, Send

from fullhouse.web.edge import security_headers
from fullhouse.web.protocol import BODY_BYTES_BESIDE, HEAD_BYTES_MAX
from fullhouse.web.request_limits import HEADERS_MAX

LARGE = 40_000_000


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body that came; or with much, for whom does not read."""
    body = (await receive()).get("body", b"")
    answer = b"x" * LARGE if scope["path"] == "/large" else b"%d %s" % (len(body), scope["path"].encode())
    names = b",".join(name for name, _ in scope["headers"])
    headers = [(b"content-length", str(len(answer)).encode()), (b"x-names", names)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


def check_refusal(answer: Answer, status: int, code: str) -> None:
    """Check that it is the problem of the contract, with what every answer has."""
    found, headers, body = answer
    problem = json.loads(body)
    assert (found, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["request_id"]
    assert headers["connection"] == "close"
    for name, value in security_headers(https=True):
        assert headers[name.decode()] == value.decode().lower()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: a"])
async def test_a_head_that_does_not_end_is_not_waited_for(sent: bytes) -> None:
    async with serving(echo, head_seconds_max=0.2) as (_, port), connected(port, sent) as (reader, _):
        if sent:
            check_refusal(await read_answer(reader), 400, "head_incomplete")
        assert await is_closed(reader)


async def test_the_head_of_a_later_request_is_not_waited_for_either() -> None:
    async with serving(echo, head_seconds_max=0.2) as (_, port), connected(port) as (reader, writer):
        writer.write(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(reader))[2] == b"0 /first"
        writer.write(b"GET /second HTTP/1.1\r\nHost: x\r\nX-Sl")
        check_refusal(await read_answer(reader), 400, "head_incomplete")
        assert await is_closed(reader)


async def test_a_head_in_pieces_that_ends_in_time_is_served() -> None:
    async with serving(echo) as (_, port), connected(port) as (reader, writer):
        for piece in (
            b"GET /pie",
            b"ces HTTP/1.1\r\nHo",
            b"st: x\r\n",
            b"\r\n",
            b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            writer.write(piece)
            await writer.drain()
        assert (await read_answer(reader))[2] == b"0 /pieces"
        assert (await read_answer(reader))[2] == b"0 /next"


async def test_a_head_without_end_is_not_read_on() -> None:
    async with serving(echo) as (_, port), connected(port, b"GET / HTTP/1.1\r\nX-Long: ") as (reader, writer):
        sent = 0
        while not reader._buffer and sent < 100 * HEAD_BYTES_MAX:  # pyright: ignore[reportAttributeAccessIssue]
            writer.write(b"a" * 4096)
            sent += 4096
            await asyncio.sleep(0)
        check_refusal(await read_answer(reader), 431, "headers_too_large")
        assert sent < 100 * HEAD_BYTES_MAX


async def test_a_body_that_was_refused_is_not_read_without_end() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(echo) as (_, port), connected(port, head) as (reader, writer):
        sent = 0
        try:
            while sent < 100 * BODY_BYTES_BESIDE and not reader.at_eof():
                writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                sent += 0x4000
                await writer.drain()
        except ConnectionError:
            pass
        assert sent < 100 * BODY_BYTES_BESIDE


async def test_trailers_are_no_headers() -> None:
    sent = b"POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: x\r\n\r\n"
    async with serving(echo) as (_, port), connected(port, sent) as (reader, _):
        status, headers, body = await read_answer(reader)
    assert (status, body) == (200, b"1 /t")
    assert headers["x-names"] == "host,transfer-encoding"


async def test_one_connection_too_many_is_told_to_come_again() -> None:
    async with serving(echo, connections_max=2) as (server, port), connected(port) as _, connected(port) as second:

        async def are_two() -> bool:
            return len(server.server_state.connections) == 2

        await until(are_two)
        async with connected(port) as (reader, _):
            answer = await read_answer(reader)
            check_refusal(answer, 503, "too_many_connections")
            assert answer[1]["retry-after"] == "1"
            assert await is_closed(reader)
        second[1].write(b"GET /mine HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(second[0]))[2] == b"0 /mine", "those that were there are served"


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    sent = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(echo, answer_seconds_max=0.2) as (server, port), connected(port, sent) as (reader, _):
        transport: Any = reader._transport  # pyright: ignore[reportAttributeAccessIssue]
        transport.pause_reading()

        async def is_gone() -> bool:
            return not server.server_state.connections

        await until(is_gone)


@pytest.mark.parametrize(
    "sent",
    [b"\x00\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"],
)
async def test_what_is_no_http_is_refused_like_everything_else(sent: bytes) -> None:
    async with serving(echo) as (_, port), connected(port, sent) as (reader, _):
        check_refusal(await read_answer(reader), 400, "malformed")
        assert await is_closed(reader)


async def test_both_lengths_of_a_body_are_one_too_many() -> None:
    sent = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    async with serving(echo) as (_, port), connected(port, sent) as (reader, _):
        check_refusal(await read_answer(reader), 400, "malformed")


async def test_headers_within_the_head_are_counted_where_they_are_answered() -> None:
    head = b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * (HEADERS_MAX + 1) + b"\r\n"
    async with serving(echo) as (_, port), connected(port, head) as (reader, _):
        check_refusal(await read_answer(reader), 431, "headers_too_large")
