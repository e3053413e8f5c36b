"""Requests that are served at once: read at a glance, and begun before the event loop does anything else.

A request that came whole, in the plainest form, needs no parser that could wait for more of it; and one that is decided
in memory, or by a batch that it joins, needs no task. Whatever is not plain at a glance is left to the parser, and is
served by the same app.
"""

import asyncio
import re
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol

from uvicorn.server import ServerState

from fullhouse.infra.telemetry import get_log
from fullhouse.web.answering import Answering
from fullhouse.web.driving import drive
from fullhouse.web.overload import Rank
from fullhouse.web.targets import Target, Targets

PLAIN_BYTES_MAX: Final = 16_384

_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_NOT_PLAIN: Final = frozenset({b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
_OF_ONE_REQUEST: Final = frozenset({b"authorization", b"cookie", b"idempotency-key", b"traceparent", b"x-request-id"})
"""Fields that are not remembered: others have other values, or they are secret."""
_LENGTH_DIGITS_MAX: Final = 5
_FIELDS_MAX: Final = 64
_REMEMBERED_MAX: Final = 4_096
_REMEMBERED_BYTES_MAX: Final = 256

_log = get_log("web")


class Plain(NamedTuple):
    """A whole request; ``fields`` are its header fields by name, of which each stands once."""

    target: Target
    headers: list[tuple[bytes, bytes]]
    fields: dict[bytes, bytes]
    body: bytes


def read_plain(data: bytes, known: Targets) -> Plain | None:
    """Read a request with one of the known first lines, if that is all that these bytes are; else None."""
    line_end = data.find(b"\r\n")
    target = known.get(data[:line_end])
    if target is None or len(data) > PLAIN_BYTES_MAX:
        return None
    end = data.find(b"\r\n\r\n", line_end)
    headers: list[tuple[bytes, bytes]] = []
    for line in data[line_end + 2 : end].split(b"\r\n"):
        field = _remembered.get(line) or _read_field(line)
        if field is None:
            return None
        headers.append(field)
    fields = dict(headers)
    if len(fields) != len(headers) or len(fields) > _FIELDS_MAX:
        return None
    body, length = data[end + 4 :], fields.get(b"content-length")
    if length is None:
        return Plain(target, headers, fields, body) if target.method == "GET" and not body else None
    if not length.isdigit() or len(length) > _LENGTH_DIGITS_MAX or int(length) != len(body):
        return None
    return Plain(target, headers, fields, body)


_remembered: dict[bytes, tuple[bytes, bytes]] = {}
"""Lines of heads that were read before, as most are sent again and again."""


def _read_field(line: bytes) -> tuple[bytes, bytes] | None:
    """Read a field; None where it is not plain."""
    found = _FIELD.fullmatch(line)
    if found is None:
        return None
    name, value = found[1].lower(), found[2].strip(b" \t")
    if name in _NOT_PLAIN or (name == b"connection" and value.lower() != b"keep-alive"):
        return None
    if len(line) <= _REMEMBERED_BYTES_MAX and name not in _OF_ONE_REQUEST:
        if len(_remembered) >= _REMEMBERED_MAX:
            _remembered.clear()
        _remembered[line] = name, value
    return name, value


class InHand(Protocol):
    """A request that was read whole and is being answered, as the protocol needs it."""

    disconnected: bool
    keep_alive: bool
    message_event: Any


class Unheard:
    """In place of an event for which nobody waits yet, and mostly never does."""

    def set(self) -> None:
        """Do nothing."""


UNHEARD: Final = Unheard()


class TooMany:
    """A request that waits for its turn."""

    __slots__ = ("data", "disconnected", "keep_alive", "rank")
    message_event: Any = UNHEARD

    def __init__(self, rank: Rank, data: bytes) -> None:
        """Keep it as it came."""
        self.rank = rank
        self.data = data
        self.disconnected = False
        self.keep_alive = True


class AtOnce(Answering):
    """A request that was read whole, and its answer on the wire."""

    # What the server sets up for each request, and is the same for all of these.
    waiting_for_100_continue = False
    disconnected = False
    keep_alive = True
    more_body = False
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0
    access_log = False
    message_event: Any

    def __init__(self, protocol: Any, body: bytes, on_response: Callable[[], None]) -> None:  # noqa: ANN401 (the server's own)
        """Take the body, and the connection for the answer. The scope follows."""
        self.scope: Any = None
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.default_headers = protocol.server_state.default_headers
        self.on_response = on_response
        self.message_event = UNHEARD
        self.body = bytearray()
        self.whole = body
        self._is_read = False

    async def receive(self) -> Any:  # noqa: ANN401 (as the server has it)
        """Return the body; after that, that the client has gone, once it has."""
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self.whole, "more_body": False}
        if self.message_event is UNHEARD:
            self.message_event = asyncio.Event()
        return await super().receive()

    def begin(self, serving: Coroutine[Any, Any, None], loop: AbstractEventLoop, state: ServerState) -> None:
        """Let the app serve it, here and now as far as that goes."""
        drive(serving, self.end, loop, state.tasks)

    def end(self, error: BaseException | None) -> None:
        """Take note that the app has done its part, or failed at it: then nobody knows what of the answer is out."""
        if error is not None or not (self.response_complete or self.disconnected):
            _log.error("unexpected", exc_info=error)
            self.transport.close()
