"""One attempt, against a real receiver by TLS on loopback."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness.receivers import HOST, NO_CONTENT, Received, Receiver, Recorder, answer_of, make_authority, outside_of

from fullhouse.infra.outgoing import Outside, open_outside
from fullhouse.webhooks import post_message as module
from fullhouse.webhooks.post_message import SECONDS_MAX, USER_AGENT, post_message
from fullhouse.webhooks.rules import Outcome, Trouble

KILOBYTE = 1024


async def post(outside: Outside, url: str, body: bytes = b"{}") -> Outcome:
    return await post_message(outside, url, {"webhook-id": "m1"}, body, allow_private=True)


async def test_the_body_arrives_as_it_was_written_with_name_and_headers(receiver: Receiver, outside: Outside) -> None:
    body = '{"name":"Café ☕"}'.encode()
    outcome = await post(outside, receiver.url("/a/b?c=d"), body)
    assert (outcome.status_code, outcome.trouble, outcome.is_success) == (204, None, True)
    assert 0 < outcome.duration_seconds < SECONDS_MAX
    (request,) = receiver.received
    assert request.body == body
    assert request.target == "/a/b?c=d"
    assert request.server_name == HOST
    assert request.headers == {
        "host": f"{HOST}:{receiver.port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": "m1",
    }


@pytest.mark.parametrize("status", [200, 201, 299, 400, 404, 410, 429, 500, 503])
async def test_the_status_and_the_first_kilobyte_are_noted(receiver: Receiver, outside: Outside, status: int) -> None:
    receiver.answers = [answer_of(status, b"x" * 3000)]
    outcome = await post(outside, receiver.url())
    assert (outcome.status_code, outcome.trouble) == (status, None)
    assert outcome.is_success == (status < 300)
    assert outcome.excerpt == "x" * KILOBYTE


async def test_what_is_no_text_can_still_be_stored(receiver: Receiver, outside: Outside) -> None:
    receiver.answers = [answer_of(200, b"a\x00b\xff\xfe")]
    assert (await post(outside, receiver.url())).excerpt == "a\ufffdb\ufffd\ufffd"


@pytest.mark.parametrize(
    ("answer", "status", "trouble"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer_of(200, b"ok"), 200, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + NO_CONTENT, 204, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, None),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", 200, None),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", None, Trouble.ANSWER_UNREADABLE),
        (b"SSH-2.0-OpenSSH_9.9\r\n", None, Trouble.ANSWER_UNREADABLE),
        (b"HTTP/1.1 9999 No\r\n\r\n", None, Trouble.ANSWER_UNREADABLE),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            None,
            Trouble.ANSWER_UNREADABLE,
        ),
        (b"HTTP/1.1 200 OK\r\nX: ", None, Trouble.CONNECTION_LOST),
        (b"", None, Trouble.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", None, Trouble.ANSWER_UNREADABLE),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000, None, Trouble.ANSWER_UNREADABLE),
    ],
    ids=str,
)
async def test_strange_answers(
    receiver: Receiver, outside: Outside, answer: bytes, status: int | None, trouble: Trouble | None
) -> None:
    receiver.answers = [answer]
    outcome = await post(outside, receiver.url())
    assert (outcome.status_code, outcome.trouble) == (status, trouble)


async def test_an_endless_body_ends_after_64_kb(receiver: Receiver, outside: Outside) -> None:
    written = [0]

    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()
            written[0] += 4096

    receiver.answers = [answer]
    outcome = await post(outside, receiver.url())
    assert (outcome.status_code, len(outcome.excerpt)) == (200, KILOBYTE)
    assert written[0] < 8_000_000, "no more than what buffers between the two hold"


def test_an_endpoint_has_ten_seconds() -> None:
    assert SECONDS_MAX == 10.0


async def test_who_is_slow_is_left_when_the_time_is_over(
    receiver: Receiver, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_MAX", 1.5)

    async def never(_request: Received, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def drip(_request: Received, writer: asyncio.StreamWriter) -> None:
        for byte in NO_CONTENT * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)

    async def drip_body(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    hole = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = hole.sockets[0].getsockname()[1]
    receiver.answers = [never, drip, drip_body, NO_CONTENT]
    urls = [receiver.url()] * 3 + [f"https://{HOST}:{port}/"]
    outcomes: list[Any] = await asyncio.gather(*(post(outside, url) for url in urls))
    hole.close()
    found = sorted((str(one.status_code), str(one.trouble)) for one in outcomes)
    assert found == [
        ("202", "None"),
        ("None", "Trouble.TIMED_OUT"),
        ("None", "Trouble.TIMED_OUT"),
        ("None", "Trouble.TIMED_OUT"),
    ]
    assert all(one.duration_seconds < SECONDS_MAX for one in outcomes)


async def test_a_certificate_of_another_name_or_of_nobody_is_refused(
    receiver: Receiver, outside: Outside, tmp_path: Path
) -> None:
    strangers = outside_of(make_authority(tmp_path)[0])
    for trusting, host in ((outside, "other.example.org"), (strangers, HOST)):
        outcome = await post(trusting, receiver.url(host=host))
        assert (outcome.status_code, outcome.trouble) == (None, Trouble.TLS_FAILED)
    by_system = Outside(outside.resolve, open_outside().connect)
    assert (await post(by_system, receiver.url())).trouble is Trouble.TLS_FAILED
    assert receiver.received == []


async def test_who_is_not_there(outside: Outside) -> None:
    assert (await post(outside, f"https://{HOST}:1/")).trouble is Trouble.CONNECT_FAILED

    async def unknown(_host: str, _port: int) -> list[Any]:
        raise OSError(-2, "Name or service not known")

    async def empty(_host: str, _port: int) -> list[Any]:
        return []

    for resolve in (unknown, empty):
        outcome = await post(Outside(resolve, outside.connect), f"https://{HOST}/")
        assert (outcome.status_code, outcome.trouble) == (None, Trouble.NAME_UNKNOWN)


async def test_the_next_address_is_tried_and_three_at_most() -> None:
    recorder = Recorder([["93.184.215.14", "2606:4700::1111", "93.184.215.15", "93.184.215.16"]])
    outcome = await post(recorder.outside(), f"https://{HOST}/")
    assert outcome.trouble is Trouble.CONNECT_FAILED
    assert [address for address, _, _ in recorder.connected] == ["93.184.215.14", "2606:4700::1111", "93.184.215.15"]
    assert recorder.asked == [(HOST, 443)]
