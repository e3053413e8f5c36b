"""Requests and answers of a Lambda function URL (payload format 2.0) as ASGI has them. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Receive = Callable[[], Awaitable[dict[str, Any]]]


def read_request(event: Mapping[str, Any]) -> tuple[dict[str, Any], Receive]:
    """Return the scope of a request, and what receives its body."""
    http = event["requestContext"]["http"]
    headers = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in _headers(event)]
    raw_path = str(event.get("rawPath") or "/")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": str(http["method"]).upper(),
        "scheme": "https",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "root_path": "",
        "query_string": str(event.get("rawQueryString") or "").encode(),
        "headers": headers,
        "client": (str(http.get("sourceIp", "")), 0),
        "server": (str(event["requestContext"].get("domainName", "")), 443),
        "state": {},
    }
    messages = [{"type": "http.request", "body": _body(event), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return scope, receive


def answer_of(sent: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answer made of the messages that an app sent; 500 if there are none."""
    status, headers, body = 500, dict[str, str](), b""
    for message in sent:
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            body += message.get("body", b"")
    try:
        return {"statusCode": status, "headers": headers, "body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"statusCode": status, "headers": headers, "body": b64encode(body).decode(), "isBase64Encoded": True}


def _headers(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    headers: Mapping[str, str] = event.get("headers") or {}
    return list(headers.items())


def _body(event: Mapping[str, Any]) -> bytes:
    text = str(event.get("body") or "")
    return b64decode(text) if event.get("isBase64Encoded") else text.encode()
