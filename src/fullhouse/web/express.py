"""Requests that are answered at a glance: with the same ids, limits, log, metrics and headers as behind the layers.

What the layers around the framework do for a request of any kind is done here for a plain one in few steps, by the same
rules. Whatever is not plain after all goes the long way, and nothing has been done for it yet but that it was counted.
"""

import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from fastapi.exceptions import RequestValidationError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from fullhouse.core.actor import Actor
from fullhouse.core.errors import DomainError
from fullhouse.infra.audit_log import asking
from fullhouse.infra.hot import JSON_TYPE
from fullhouse.infra.outbox import request_id
from fullhouse.infra.rate_budgets import Decision
from fullhouse.infra.telemetry import get_log
from fullhouse.infra.tracing import is_on as is_tracing
from fullhouse.web.at_once import UNHEARD, Plain
from fullhouse.web.driving import drive
from fullhouse.web.edge import NOBODY, REQUESTS, SAFE_METHODS, Edge, sent_id
from fullhouse.web.errors import AroundId, Unexpected, around_id, note_unavailable
from fullhouse.web.meters import METERS
from fullhouse.web.overload import Rank, rank_of
from fullhouse.web.rate_limits import TAKEN, RateLimits, limit_fields, purpose_of
from fullhouse.web.request_limits import JSON_DEPTH_MAX, bracket_count
from fullhouse.web.targets import Target

Headers = tuple[tuple[bytes, bytes], ...]
_REFUSED = 400
_NOT_MODIFIED = 304
_KINDS_MAX = 256

_log = get_log("web")


class Express:
    """Serves plain requests of one process."""

    def __init__(self, edge: Edge, limits: RateLimits, make_id_text: Callable[[], str], *, body_bytes_max: int) -> None:
        """Take the layers whose rules hold here too."""
        self.traffic = edge.traffic
        self.wrote = edge.wrote
        self.state = edge.api.state
        self._fixed = edge.fixed
        self.limits = limits
        self._make_id_text = make_id_text
        self._body_bytes_max = body_bytes_max
        # Nothing waits in it: it is entered for the moment in which a request is begun.
        self._context = Context()
        self._heads: dict[tuple[int, Headers], bytes] = {}
        self._heads_of: object = None
        self._problems: dict[tuple[int, str], tuple[DomainError, AroundId]] = {}

    def serve(self, protocol: Any, request: Plain, taken: dict[str, Any]) -> bool:  # noqa: ANN401 (the server's own)
        """Answer a request, now or later. Return False where it has to go the long way; ``taken`` goes with it."""
        target, body = request.target, request.body
        if (
            target.glance is None
            or is_tracing()
            or self.traffic.gate.refuses(rank_of(target.path))
            or len(body) > self._body_bytes_max
            or bracket_count(body) > JSON_DEPTH_MAX
        ):
            return False
        told = b""
        purpose = purpose_of(target.method, target.path) if self.limits.is_on else None
        if purpose is not None:
            decisions, is_all = self.limits.take_now(purpose, protocol.client, request)
            if not is_all:
                taken[TAKEN] = decisions
                return False
            taken[TAKEN] = decisions
            told = _written(decisions)
        asked = _Asked(self, protocol, request, sent_id(request.fields) or self._make_id_text(), told)
        protocol.begin(asked)
        if self._context.run(self._begin, asked, target.glance):
            if not asked.status:
                asked.wait()
            return True
        protocol.begin(None)
        return False

    def _begin(self, asked: "_Asked", glance: Callable[..., bool]) -> bool:
        request_id.set(asked.id)
        asking.set(NOBODY)
        try:
            return glance(asked)
        except DomainError as refused:
            asked.refuse(refused)
        except RequestValidationError:
            return False
        except Exception as error:  # noqa: BLE001 (the last net)
            asked.fail(error)
        return True

    def around_id(self, error: DomainError, path: str) -> AroundId:
        """Write a problem but for the id. Refusals that many hear are the very same, and never raised."""
        known = self._problems.get((id(error), path))
        if known is not None and known[0] is error:
            return known[1]
        note_unavailable(error)
        written = around_id(error, path)
        if error.__traceback__ is None:
            if len(self._problems) >= _KINDS_MAX:
                self._problems.clear()
            self._problems[id(error), path] = error, written
        return written

    def head(self, protocol: Any, status: int, headers: Headers) -> bytes:  # noqa: ANN401 (the server's own)
        """Return how an answer begins: written once for each kind, in each second."""
        now = protocol.server_state.default_headers
        if now is not self._heads_of or len(self._heads) > _KINDS_MAX:
            self._heads.clear()
            self._heads_of = now
        found = self._heads.get((status, headers))
        if found is None:
            lines = [b"%b: %b\r\n" % pair for pair in (*now, *headers)]
            if any(line.count(b"\r") != 1 or line.count(b"\n") != 1 or b"\0" in line for line in lines):
                raise RuntimeError("Invalid HTTP header.")
            fixed = self._fixed(tuple([name for name, _ in headers])).block
            found = self._heads[status, headers] = b"".join((STATUS_LINE[status], *lines, fixed))
        return found


class _Asked:
    """A request that is being answered."""

    __slots__ = (
        "_express",
        "_protocol",
        "_request",
        "_started",
        "_target",
        "_told",
        "_waits",
        "actor",
        "body",
        "disconnected",
        "fields",
        "id",
        "keep_alive",
        "status",
    )
    message_event = UNHEARD

    def __init__(self, express: Express, protocol: Any, request: Plain, found_id: str, told: bytes) -> None:  # noqa: ANN401
        self._express = express
        self._protocol = protocol
        self._request = request
        self._target: Target = request.target
        self._told = told
        self._waits = False
        self.body = request.body
        self.fields = request.fields
        self.id = found_id
        self.actor: Actor | None = None
        self.status = 0
        self.disconnected = False
        self.keep_alive = True
        self._started = time.perf_counter()

    @property
    def path_params(self) -> Any:  # noqa: ANN401 (texts by name)
        return self._target.path_params

    @property
    def state(self) -> Any:  # noqa: ANN401 (as the framework has it)
        return self._express.state

    @property
    def client(self) -> str | None:
        return self._express.limits.address_of(self._protocol.client, self._request.headers)

    def wait(self) -> None:
        """Count it as under way."""
        self._waits = True
        self._express.traffic.in_flight += 1
        if self._is_counted:
            self._express.traffic.gate.count(1)

    @property
    def _is_counted(self) -> bool:
        return rank_of(self._target.path) is not Rank.ALWAYS

    def go_on(self, answering: Coroutine[Any, Any, None]) -> None:
        drive(answering, self._ended, self._protocol.loop, self._protocol.server_state.tasks)

    def _ended(self, error: BaseException | None) -> None:
        """Take note that the coroutine has done its part, or failed at it."""
        if isinstance(error, DomainError):
            self.refuse(error)
        elif error is not None or not self.status:
            self.fail(error or RuntimeError("nothing was answered"))

    def answer(self, status: int, body: bytes, headers: Headers = (JSON_TYPE,)) -> None:
        self.status = status
        express, protocol = self._express, self._protocol
        head = express.head(protocol, status, headers)
        length = b"" if status == _NOT_MODIFIED else b"content-length: %d\r\n" % len(body)
        ends = b"" if self.keep_alive else b"connection: close\r\n"
        if not self.disconnected:
            protocol.transport.write(
                b"%b%b%b%bx-request-id: %b\r\n\r\n%b" % (head, length, ends, self._told, self.id.encode(), body)
            )
            if ends:
                protocol.transport.close()
        protocol.note_answered()
        target = self._target
        if status < _REFUSED and target.method not in SAFE_METHODS:
            express.wrote(target.route)
        if self.actor is not None:
            express.limits.learn(self.actor, self.fields.get(b"authorization"), status)
        seconds = time.perf_counter() - self._started
        if self._waits:
            traffic = express.traffic
            traffic.in_flight -= 1
            if self._is_counted:
                traffic.gate.count(-1)
                traffic.gate.note_answered(seconds)
        METERS.of(target.method, target.route, status).note(seconds)
        if REQUESTS.is_on:
            self._log(seconds)

    def refuse(self, error: DomainError) -> None:
        status, before, after, headers = self._express.around_id(error, self._target.path)
        self.answer(status, b'%b"%b"%b' % (before, self.id.encode(), after), headers)

    def fail(self, error: BaseException) -> None:
        _log.error("unexpected", exc_info=error, route=self._target.route)
        if not self.status:
            self.refuse(Unexpected())

    def _log(self, seconds: float) -> None:
        target, context = self._target, Context()
        context.run(request_id.set, self.id)
        facts = {"method": target.method, "route": target.route, "status": self.status, **target.path_params}
        if self.actor is not None:
            facts["actor"] = self.actor.label
        context.run(REQUESTS.write, "request", **facts, ms=round(seconds * 1000, 2))


def _written(decisions: list[Decision]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in limit_fields(decisions))
