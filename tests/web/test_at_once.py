"""Requests that are served at once, without parser and task: the same answers, in the same order, to the same end."""

import asyncio
import json

import pytest
from harness.wire import PATIENCE_SECONDS, connected, read_answer, serving
from starlette.types import Receive, Scope, Send

from fullhouse.infra.outbox import request_id
from fullhouse.infra.tasks import be_a_task
from fullhouse.web.at_once import PLAIN_BYTES_MAX, read_plain
from fullhouse.web.targets import KnownTargets, Target

HOLDS = "/api/v1/reservations"
KNOWN = KnownTargets()
KNOWN.add(Target("POST", HOLDS, HOLDS.encode(), HOLDS))
HOLD = b"POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Thing:  a: b \r\n\r\n{}"
SERVER_OWN = {"date", "x-request-id"}


def test_a_whole_request_is_read_at_a_glance() -> None:
    request = read_plain(HOLD, KNOWN)
    assert request is not None
    assert request.target[:3] == ("POST", HOLDS, HOLDS.encode())
    assert request.headers == [(b"host", b"x"), (b"content-length", b"2"), (b"x-thing", b"a: b")]
    assert request.fields == dict(request.headers)
    assert request.body == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        HOLD[:-1],
        HOLD + b"P",
        HOLD[:-4],
        HOLD.replace(b"POST", b"GET"),
        HOLD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HOLD.replace(b"reservations ", b"reservations?a=b "),
        HOLD.replace(b"Length: 2", b"Length: +2"),
        HOLD.replace(b"Length: 2", b"Length: 000002"),
        HOLD.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
        HOLD.replace(b"X-Thing", b"Connection"),
        HOLD.replace(b"X-Thing", b"Expect"),
        HOLD.replace(b"X-Thing", b"content-length"),
        HOLD.replace(b"X-Thing", b"host"),
        HOLD.replace(b"X-Thing:", b"X-Thing :"),
        HOLD.replace(b"X-Thing:", b" folded:"),
        HOLD.replace(b"a: b", b"a\nb: c"),
        HOLD.replace(b"a: b", b"a\0b"),
        HOLD.replace(b"a: b", b"x" * PLAIN_BYTES_MAX),
        HOLD.replace(b"X-Thing", b"\r\n".join(b"X-%d: y" % number for number in range(70))),
        b"POST /api/v1/reservations HTTP/1.1\r\n\r\n",
        b"POST /api/v1/reservations HTTP/1.1",
        b"",
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(data: bytes) -> None:
    assert read_plain(data, KNOWN) is None


class _App:
    """Answers with what it was asked, after having waited in the way that a header names."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.in_task: list[bool] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields, message = dict(scope["headers"]), await receive()
        self.in_task.append(asyncio.current_task() is not None)
        way = fields.get(b"x-way", b"")
        if way == b"fail":
            raise RuntimeError("a fault of ours")
        if way == b"wait":
            await self.go_on.wait()
        if way == b"limit":
            await be_a_task()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.sleep(0.001)
        told = {"body": message["body"].decode(), "path": scope["path"], "id": request_id.get(), "way": way.decode()}
        body = json.dumps(told).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if way == b"close":
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        if way == b"pieces":
            await send({"type": "http.response.body", "body": body[:5], "more_body": True})
            body = body[5:]
        await send({"type": "http.response.body", "body": body})


def hold(way: str, asked: str = "mine") -> bytes:
    return HOLD.replace(b"X-Thing:  a: b ", f"X-Way: {way}\r\nX-Request-ID: {asked}".encode())


@pytest.mark.parametrize("way", ["", "limit", "fail", "close", "pieces"])
async def test_an_answer_is_the_same_as_behind_the_parser(way: str) -> None:
    answers: list[object] = []
    for known in (KNOWN, {}):
        app = _App()
        async with serving(app, at_once=known) as (_, port), connected(port, hold(way)) as (reader, writer):
            status, headers, body = await read_answer(reader)
            if way != "close":
                writer.write(hold("", "next"))
                assert json.loads((await read_answer(reader))[2])["id"] == "next"
            else:
                assert await reader.read() == b""
            assert headers["x-request-id"] == "mine"
            answers.append((status, {name: headers[name] for name in headers.keys() - SERVER_OWN}, body))
            assert app.in_task[0] is (known is not KNOWN)
    assert answers[0] == answers[1]


async def test_what_comes_meanwhile_is_answered_after_it() -> None:
    app = _App()
    async with serving(app, at_once=KNOWN) as (_, port), connected(port, hold("wait", "1")) as (reader, writer):
        await _until_asked(app, 1)
        writer.write(hold("", "2") + hold("limit", "3"))
        await asyncio.sleep(0.02)
        app.go_on.set()
        assert [json.loads((await read_answer(reader))[2])["id"] for _ in range(3)] == ["1", "2", "3"]
    assert app.in_task == [False, True, True], "what came together was left to the parser"


async def test_who_goes_away_is_not_waited_for_and_a_server_that_stops_answers_first() -> None:
    app = _App()
    async with serving(app, at_once=KNOWN) as (server, port):
        async with connected(port, hold("wait")):
            await _until_asked(app, 1)
        async with connected(port, hold("wait")) as (reader, _):
            await _until_asked(app, 2)
            for connection in list(server.server_state.connections):
                connection.shutdown()
            app.go_on.set()
            assert (await read_answer(reader))[0] == 201
            assert await reader.read() == b""


async def test_silence_ends_a_connection_and_waiting_for_an_answer_is_none() -> None:
    app = _App()
    async with serving(app, at_once=KNOWN) as (server, port):
        server.config.timeout_keep_alive = 0.05  # pyright: ignore[reportAttributeAccessIssue] (a number of seconds)
        async with connected(port, hold("")) as (reader, writer):
            assert (await read_answer(reader))[0] == 201
            writer.write(hold("wait"))
            await _until_asked(app, 2)
            asyncio.get_running_loop().call_later(0.15, app.go_on.set)
            assert (await read_answer(reader))[0] == 201
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await reader.read() == b""


async def _until_asked(app: _App, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(app.in_task) < count:  # noqa: ASYNC110 (the app tells nobody)
            await asyncio.sleep(0.001)
