"""Answers that are written in one go, behind the edge: the same as the server's own, in every form."""

import asyncio

import pytest
from harness.web import client_of
from harness.wire import PATIENCE_SECONDS, connected, read_answer, serving
from starlette.types import Receive, Scope, Send

from fullhouse.infra import system
from fullhouse.infra.hot import piece_of_answer
from fullhouse.web.edge import Edge, Traffic, security_headers

FORMS = {
    "/plain": (200, [(b"content-type", b"text/plain"), (b"content-length", b"5")]),
    "/cached": (200, [(b"cache-control", b"no-cache"), (b"content-length", b"5")]),
    "/created": (201, [(b"content-length", b"5"), (b"x-request-id-of-another", b"1")]),
    "/closing": (200, [(b"content-length", b"5"), (b"connection", b"close")]),
    "/unmeasured": (200, [(b"content-type", b"text/plain")]),
    "/capital": (200, [(b"Content-Length", b"5")]),
    "/nothing": (204, []),
    "/unchanged": (304, [(b"etag", b'"1"')]),
}
OF_THE_SERVER = {"date", "x-request-id", "transfer-encoding"}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in the form that the path names."""
    await receive()
    status, headers = FORMS[scope["path"]]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if status in {204, 304} else b"hello"})


def behind_the_edge(app: object) -> Edge:
    return Edge(app, None, system.make_id, Traffic(), https=True)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("path", FORMS)
async def test_an_answer_is_what_another_server_would_send(path: str) -> None:
    async with client_of(behind_the_edge(answer)) as client:
        wanted = await client.get(path)
    async with serving(answer) as (_, port), connected(port) as (reader, writer):
        for _ in range(2 if path != "/closing" else 1):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            status, headers, body = await read_answer(reader)
            if path == "/unmeasured":
                body = (await reader.readuntil(b"0\r\n\r\n"))[3:8]
            assert (status, body) == (wanted.status_code, wanted.content)
            given = {name: value for name, value in headers.items() if name not in OF_THE_SERVER}
            assert given == {name: value.lower() for name, value in wanted.headers.items() if name not in OF_THE_SERVER}
            assert "date" in headers


async def test_what_every_answer_has_gives_way_to_what_this_one_says() -> None:
    async with client_of(behind_the_edge(answer)) as client:
        found = await client.get("/cached")
    assert found.headers.get_list("cache-control") == ["no-cache"]
    for name, value in security_headers(https=True):
        assert name == b"cache-control" or found.headers[name.decode()] == value.decode()


async def test_a_line_break_in_a_field_ends_the_connection_and_is_not_sent() -> None:
    async def split(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-length", b"0"), (b"location", b"/x\r\nset-cookie: mine=1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async with serving(split) as (_, port), connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            sent = await reader.read(1_000)
    assert b"set-cookie" not in sent


async def test_pieces_come_as_they_were_made() -> None:
    piece = piece_of_answer(b"id:1\n\n")

    async def stream(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send(piece)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with client_of(behind_the_edge(stream)) as client:
        assert (await client.get("/")).content == b"id:1\n\n" * 3
    async with serving(stream) as (_, port), connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            sent = await reader.readuntil(b"0\r\n\r\n")
    assert sent.endswith(b"\r\n\r\n" + b"6\r\nid:1\n\n\r\n" * 3 + b"0\r\n\r\n")
