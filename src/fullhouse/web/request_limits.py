"""Limits on requests before anything else reads them: addresses, header fields, and bodies.

A body has a size, a time in which it must have come, and a depth of nesting, because what reads it may recurse.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullhouse.core.errors import DomainError, Malformed, TooLarge, invalid_field
from fullhouse.infra.hot_reading import find_header
from fullhouse.web.errors import HeadersTooLarge, RouteUnknown, UrlTooLong, problem_response
from fullhouse.web.wire import has_whole_body, small_body

BODY_SECONDS_MAX = 30
URL_BYTES_MAX = 8_192
HEADERS_MAX = 100
HEADERS_BYTES_MAX = 32_768
JSON_DEPTH_MAX = 64

# A string without its end goes on to the end of the body, so that each byte is looked at once whatever is sent.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BodyTooLarge(TooLarge):
    """The body is larger than this address takes."""

    code = "body_too_large"
    title = "The body is too large."


class BodyIncomplete(Malformed):
    """The body did not come in time."""

    code = "body_incomplete"
    title = "The body did not come in time."


class JsonTooDeep(Malformed):
    """Lists and objects are nested deeper than any that the product takes; ``depth_max`` says how deep they may be."""

    code = "json_too_deep"
    title = "The body is nested too deep."


class RequestLimits:
    """Reads each body whole, so that what is behind it meets complete bodies of a known size only."""

    def __init__(self, app: ASGIApp, bytes_max: int, larger: Mapping[str, int]) -> None:
        """Set the limit, and larger ones for paths that end so: ``{"/seat-maps": 32_000_000}``."""
        self._app = app
        self._bytes_max = bytes_max
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        small = small_body(scope)
        if small is not None and len(small) <= self._bytes_max and bracket_count(small) <= JSON_DEPTH_MAX:
            await self._app(scope, receive, send)
            return
        bytes_max = self._limit(scope["path"])
        try:
            _check_head(scope)
            _check_declared(find_header(scope, b"content-length"), bytes_max)
            if has_whole_body(scope):
                first = await _read(receive, bytes_max)
            else:
                async with asyncio.timeout(BODY_SECONDS_MAX):
                    first = await _read(receive, bytes_max)
            if bytes_max == self._bytes_max:
                _check_depth(first.get("body", b""))
        except TimeoutError:
            await _refuse(BodyIncomplete(), scope, receive, send)
        except DomainError as refused:
            await _refuse(refused, scope, receive, send)
        else:
            await self._app(scope, _once(first, receive), send)

    def _limit(self, path: str) -> int:
        for ending, bytes_max in self._larger.items():
            if path.endswith(ending):
                return bytes_max
        return self._bytes_max


def _check_head(scope: Scope) -> None:
    """Refuse what is too long or too much, and NUL characters, which no column could hold."""
    if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > URL_BYTES_MAX:
        raise UrlTooLong(bytes_max=URL_BYTES_MAX)
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
    if len(headers) > HEADERS_MAX or size > HEADERS_BYTES_MAX:
        raise HeadersTooLarge(headers_max=HEADERS_MAX, bytes_max=HEADERS_BYTES_MAX)
    if "\x00" in scope["path"]:
        raise RouteUnknown
    query: bytes = scope["query_string"]
    if query and (b"%00" in query or b"\x00" in query):
        raise invalid_field("query", "May not hold NUL characters.")


def _check_declared(content_length: bytes | None, bytes_max: int) -> None:
    if content_length is None:
        return
    if not content_length.isdigit():
        raise Malformed("Content-Length is not a number.")
    # Twelve digits are more than any limit, and few enough to be read as a number.
    if len(content_length) > 12 or int(content_length) > bytes_max:
        raise BodyTooLarge(bytes_max=bytes_max)


async def _read(receive: Receive, bytes_max: int) -> Message:
    message = await receive()
    if message["type"] != "http.request" or not message.get("more_body", False):
        _check_size(len(message.get("body", b"")), bytes_max)
        return message
    body = bytearray(message.get("body", b""))
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        _check_size(len(body), bytes_max)
    return {"type": "http.request", "body": bytes(body), "more_body": False}


def _check_depth(body: bytes) -> None:
    """Refuse deep nesting, without recursion: the brackets are kept, and pairs of them go layer by layer."""
    if bracket_count(body) <= JSON_DEPTH_MAX:
        return
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, _ALL_BUT_BRACKETS)
    for _ in range(JSON_DEPTH_MAX):
        brackets = brackets.replace(b"[]", b"")
    # What is left has more layers, or has brackets without their pairs; few of those are for the parser to refuse.
    if b"[]" in brackets or brackets.count(b"[") > JSON_DEPTH_MAX:
        raise JsonTooDeep(depth_max=JSON_DEPTH_MAX)


def bracket_count(body: bytes) -> int:
    """Count what may open a layer of a body."""
    return body.count(b"[") + body.count(b"{")


def _check_size(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise BodyTooLarge(bytes_max=bytes_max)


def _once(first: Message, receive: Receive) -> Receive:
    """Hand out the body once, then what comes from the client: that it has gone."""
    pending: list[Message] = [first]

    async def receive_next() -> Message:
        return pending.pop() if pending else await receive()

    return receive_next


async def _refuse(error: DomainError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer and close: what is left of the body is not read."""
    await problem_response(error, scope, {"Connection": "close"})(scope, receive, send)
