"""Requests of a function URL as ASGI has them, and back."""

from base64 import b64encode
from typing import Any

import pytest

from fullhouse.aws.function_url import answer_of, read_request

EVENT: dict[str, Any] = {
    "rawPath": "/a%20b/c",
    "rawQueryString": "x=1&y=%20",
    "headers": {"Content-Type": "text/plain", "x-name": "Zoë"},
    "requestContext": {"domainName": "door.example", "http": {"method": "post", "sourceIp": "192.0.2.7"}},
    "body": "naïve",
    "isBase64Encoded": False,
}


async def test_request_is_read() -> None:
    scope, receive = read_request(EVENT)
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("POST", "/a b/c", b"/a%20b/c")
    assert (scope["query_string"], scope["client"], scope["scheme"]) == (b"x=1&y=%20", ("192.0.2.7", 0), "https")
    assert scope["headers"] == [(b"content-type", b"text/plain"), (b"x-name", "Zoë".encode("latin-1"))]
    assert await receive() == {"type": "http.request", "body": "naïve".encode(), "more_body": False}
    assert await receive() == {"type": "http.disconnect"}


@pytest.mark.parametrize(("body", "plain"), [(None, b""), (b64encode(b"\x00\xff").decode(), b"\x00\xff")])
async def test_body_may_be_missing_or_in_base64(body: str | None, plain: bytes) -> None:
    _, receive = read_request({**EVENT, "body": body, "isBase64Encoded": body is not None})
    assert (await receive())["body"] == plain


def test_answer_is_written() -> None:
    start = {"type": "http.response.start", "status": 201, "headers": [(b"a", b"b")]}
    parts = [{"type": "http.response.body", "body": part} for part in (b"on", b"e")]
    assert answer_of([start, *parts]) == {
        "statusCode": 201,
        "headers": {"a": "b"},
        "body": "one",
        "isBase64Encoded": False,
    }
    picture = answer_of([start, {"type": "http.response.body", "body": b"\xff"}])
    assert (picture["body"], picture["isBase64Encoded"]) == (b64encode(b"\xff").decode(), True)
    assert answer_of([])["statusCode"] == 500
