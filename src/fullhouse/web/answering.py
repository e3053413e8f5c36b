"""One request and its answer on the wire: like the server's own, with that done beforehand which is known early."""

from collections.abc import Sequence
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from fullhouse.infra.hot import CHUNK
from fullhouse.web.wire import FIXED, Fixed

_WITHOUT_BODY: Final = frozenset({204, 304})
_UNUSUAL: Final = frozenset({b"connection", b"transfer-encoding"})


class Answering(RequestResponseCycle):
    """A request and its answer."""

    whole: bytes | None = None
    _head: bytes | None = None
    """The head of an answer whose body is awaited: both go out together."""

    async def send(self, message: Any) -> None:  # noqa: ANN401 (as the server has it)
        """Send the head of an answer, or a piece of it."""
        if self._head is not None:
            await self._send_with_head(message)
            return
        chunk = message.get(CHUNK)
        if chunk is not None and self.chunked_encoding and self.scope["method"] != "HEAD":
            await self._send_chunk(chunk)
            return
        fixed: Fixed | None = message.get(FIXED)
        if fixed is None:
            await super().send(message)
        elif not self._keep_head(message, fixed):
            message["headers"] = [*message["headers"], *fixed.pairs]
            await super().send(message)

    def _keep_head(self, message: Any, fixed: Fixed) -> bool:  # noqa: ANN401 (as the server has it)
        """Write a head of the usual form, for its body to go with it. Return whether it has that form."""
        status: int = message["status"]
        headers: Sequence[tuple[bytes, bytes]] = [*self.default_headers, *message["headers"]]
        length = 0 if status in _WITHOUT_BODY else None
        lines = [STATUS_LINE[status]]
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name in _UNUSUAL:
                return False
            lines += (name, b": ", value, b"\r\n")
        own = b"".join(lines)
        # Each line has one end: there is none inside a value.
        if length is None or self.response_started or not self.keep_alive:
            return False
        if own.count(b"\n") != len(headers) + 1 or own.count(b"\r") != len(headers) + 1 or b"\0" in own:
            raise RuntimeError("Invalid HTTP header.")
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.expected_content_length = length
        self._head = own + fixed.block + b"\r\n"
        return True

    async def _send_with_head(self, message: Any) -> None:  # noqa: ANN401 (as the server has it)
        head, self._head = self._head or b"", None
        body: bytes = message.get("body", b"")
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message.get("more_body", False):
            self.transport.write(head)
            await super().send(message)
            return
        if self.scope["method"] == "HEAD":
            body = b""
        elif len(body) != self.expected_content_length:
            raise RuntimeError("Response content of another length than Content-Length")
        self.transport.write(head + body)
        # The scope names this, and this names the scope: apart, both go at once, and no collector has to find them.
        self.scope.pop("extensions", None)
        self.response_complete = True
        self.message_event.set()
        self.on_response()

    async def _send_chunk(self, chunk: bytes) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.transport.write(chunk)

    def write_piece(self, chunk: bytes) -> bool:
        """Send a piece of an answer that has begun, as ``CHUNK`` has it, where the client reads."""
        if self.disconnected or self.flow.write_paused or not self.chunked_encoding or self.response_complete:
            return False
        self.transport.write(chunk)
        return True
