"""HTTP on the wire, within limits: what the server itself does not bound, before there is a request to speak of.

A connection may not wait for ever to send its head, or to read its answer; a head is not read without end, nor what
follows a body that was refused; and a process keeps so many connections and no more.
"""

import asyncio
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fullhouse.core.errors import DomainError, Malformed
from fullhouse.infra.hot_reading import FIELDS
from fullhouse.web.answering import Answering
from fullhouse.web.at_once import AtOnce, InHand, TooMany, read_plain
from fullhouse.web.errors import HeadersTooLarge
from fullhouse.web.overload import rank_at_a_glance
from fullhouse.web.request_limits import HEADERS_BYTES_MAX, HEADERS_MAX
from fullhouse.web.wire import WIRE
from fullhouse.web.wire_limits import WireLimits
from fullhouse.web.wire_refusals import HeadIncomplete, TooManyConnections, write_overloaded, write_refusal

HEAD_BYTES_MAX = 65_536
"""Of a head that has not ended; one that has is measured more closely where it can be answered well."""

BODY_BYTES_BESIDE = 1_048_576
"""What may come of a body beyond the largest: chunk sizes and trailers."""


class LimitedProtocol(HttpToolsProtocol):
    """The protocol of one connection."""

    limits: ClassVar[WireLimits]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (the server's own)
        """Begin where a head is awaited."""
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._begins = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        # The request that is served at once, until it is answered; what came meanwhile; when one was answered last.
        self._at_once: InHand | None = None
        self._came = b""
        self._answered_at = 0.0
        self._newcomer: TooMany | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] (the server's own narrowing)
        """Take a connection, or send it away where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections_max:
            self._refuse(TooManyConnections(retry_after_seconds=1))
        else:
            self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self._give_up_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what waits."""
        self._end_head_timer()
        _cancel(self._answer_timer)
        if self._at_once is not None:
            self._at_once.disconnected = True
            self._at_once.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, unless it is too much."""
        if self.transport.is_closing():
            return
        if self._at_once is not None:
            self._keep_for_later(data)
            return
        if (self.limits.gate.is_tight and self._refuses(data)) or self._serves_at_once(data):
            return
        was_in_head = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._measure_head(len(data) if was_in_head else 0)
        else:
            self._body_bytes += len(data)
            if self._body_bytes > self.limits.body_bytes_max + BODY_BYTES_BESIDE:
                self.transport.abort()

    def _serves_at_once(self, data: bytes) -> bool:
        """Serve a request that is read at a glance. Return whether it was."""
        if self._is_amid or self.root_path or self.flow.write_paused:
            return False
        request = read_plain(data, self.limits.at_once)
        if request is None:
            return False
        self._end_head_timer()
        taken: dict[str, Any] = {}
        express, target = self.limits.express, request.target
        if express is not None and express.serve(self, request, taken):
            return True
        if not target.is_at_once:
            return False
        cycle = self._at_once = AtOnce(self, request.body, self.note_answered)
        cycle.scope = scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": request.headers,
            "state": self.app_state.copy(),
            "method": target.method,
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": b"",
            "extensions": {WIRE: cycle},
            FIELDS: request.fields,
            **taken,
        }
        cycle.begin(cast("Any", self.app)(scope, cycle.receive, cycle.send), self.loop, self.server_state)
        return True

    def begin(self, in_hand: InHand | None) -> None:
        """Take note of the request that is answered next, or that it was left to others after all."""
        self._at_once = in_hand

    def note_answered(self) -> None:
        """Go on after a request that was served at once. The time of silence begins, without a timer for each."""
        self.server_state.total_requests += 1
        self._at_once = None
        if self.transport.is_closing():
            return
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._came:
            came, self._came = self._came, b""
            self.flow.resume_reading()
            self.loop.call_soon(self.data_received, came)

    def _keep_for_later(self, data: bytes) -> None:
        """Keep what comes before the answer to what came before it."""
        self._came += data
        if len(self._came) > HEAD_BYTES_MAX:
            self.flow.pause_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was silent for long enough; else look again when it may be."""
        silent = self.loop.time() - self._answered_at
        if self._at_once is None and silent >= self.timeout_keep_alive:
            super().timeout_keep_alive_handler()
            return
        left = self.timeout_keep_alive - (0.0 if self._at_once is not None else silent)
        self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        """Close the connection, after the answer that is being made."""
        if self._at_once is None:
            super().shutdown()
        else:
            self._at_once.keep_alive = False

    @property
    def _is_amid(self) -> bool:
        """Whether a request is being read or answered."""
        return self._begins or not self._in_head or bool(self.cycle and not self.cycle.response_complete)

    def _refuses(self, data: bytes) -> bool:
        """Tell a whole request to come back later, in this turn or in its own. Return whether it is told.

        It is not read as others are: behind the parser a refusal costs nearly as much as an answer, and there are the
        most of them when there is the least to give.
        """
        if self._is_amid:
            return False
        rank = rank_at_a_glance(data)
        if rank is None or not self.limits.gate.refuses(rank):
            return False
        self._end_head_timer()
        if self.limits.turns.has_room():
            self._tell_overloaded()
        else:
            self._at_once = self._newcomer = TooMany(rank, data)
            self.limits.turns.add(self)
        return True

    def _tell_overloaded(self) -> None:
        limits = self.limits
        self.transport.write(write_overloaded(limits.gate.refuse(), is_https=limits.is_https))
        self.note_answered()

    def take_turn(self) -> None:
        """Refuse the request that waits, or serve it if there is room by now."""
        self._at_once, waits = None, self._newcomer
        gate = self.limits.gate
        if waits is None or self.transport.is_closing():
            return
        if not waits.keep_alive:
            self._refuse(gate.refuse())
        elif gate.refuses(waits.rank):
            self._tell_overloaded()
        else:
            self.data_received(waits.data)

    def _measure_head(self, size: int) -> None:
        """Bound a head that has begun and not ended. Between requests, the server's own limit on silence holds."""
        if not self._begins:
            return
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(HeadersTooLarge(headers_max=HEADERS_MAX, bytes_max=HEADERS_BYTES_MAX))
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self._give_up_head)

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        super().on_message_begin()
        self._in_head = self._begins = True
        self._head_bytes = self._body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; those after the body are dropped, since nobody has asked for any."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that the head has ended. What answers begins after this, and finds our way of it."""
        self._in_head = self._begins = False
        self._end_head_timer()
        super().on_headers_complete()
        self.cycle.__class__ = Answering
        scope = cast("dict[str, Any]", self.scope)
        scope["extensions"] = {WIRE: self.cycle}

    def on_message_complete(self) -> None:
        """Note that the next head may begin."""
        super().on_message_complete()
        self._in_head = True

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(self.limits.answer_seconds_max, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        _cancel(self._answer_timer)
        self._answer_timer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the server's words are not for clients)
        """Answer what is no HTTP in the form of all refusals."""
        self._refuse(Malformed("This is not HTTP as it should be."))

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        self._head_timer = None
        if self._begins:
            self._refuse(HeadIncomplete())
        else:
            self.transport.close()

    def _refuse(self, error: DomainError) -> None:
        """Answer and close. In the middle of another answer there is no place for one, so that it just ends."""
        if self._at_once is not None or (self.cycle and not self.cycle.response_complete):
            self.transport.abort()
            return
        self.transport.write(write_refusal(error, is_https=self.limits.is_https))
        self.transport.close()


def protocol_with(wire_limits: WireLimits) -> type[asyncio.Protocol]:
    """Return the protocol with the limits of this process."""

    class Limited(LimitedProtocol):
        limits = wire_limits

    return Limited


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
