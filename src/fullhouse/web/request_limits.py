"""Limits on requests before anything else reads them: the size of bodies, how long they take to come, and addresses."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullhouse.core.errors import DomainError, Malformed, TooLarge, invalid_field
from fullhouse.web.errors import RouteUnknown, problem_response

BODY_SECONDS_MAX = 30


class BodyTooLarge(TooLarge):
    """The body is larger than this address takes."""

    code = "body_too_large"
    title = "The body is too large."


class BodyIncomplete(Malformed):
    """The body did not come in time."""

    code = "body_incomplete"
    title = "The body did not come in time."


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
        bytes_max = self._limit(scope["path"])
        try:
            _check_address(scope)
            _check_declared(Headers(scope=scope).get("content-length"), bytes_max)
            async with asyncio.timeout(BODY_SECONDS_MAX):
                first = await _read(receive, bytes_max)
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


def _check_address(scope: Scope) -> None:
    """Refuse NUL characters, which no column could hold."""
    if "\x00" in scope["path"]:
        raise RouteUnknown
    query: bytes = scope["query_string"]
    if b"%00" in query or b"\x00" in query:
        raise invalid_field("query", "May not hold NUL characters.")


def _check_declared(content_length: str | None, bytes_max: int) -> None:
    if content_length is None:
        return
    if not content_length.isdecimal() or not content_length.isascii():
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
