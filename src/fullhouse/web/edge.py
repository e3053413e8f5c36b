"""The outermost layer of every request: its id, security headers, access log, metrics, and the last net for errors."""

import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullhouse.core.actor import ANONYMOUS
from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Asking, asking
from fullhouse.infra.hot_reading import fields_of
from fullhouse.infra.outbox import request_id
from fullhouse.infra.telemetry import RequestLog, gauge, get_log
from fullhouse.infra.tracing import describe, request_span
from fullhouse.infra.tracing import is_on as is_tracing
from fullhouse.web.errors import Unexpected, problem_response
from fullhouse.web.meters import METERS
from fullhouse.web.overload import Gate, Rank, rank_of
from fullhouse.web.paths import API_PREFIX
from fullhouse.web.wire import FIXED, Fixed, has_wire, written

ROUTE_KEY = "fullhouse.route"
"""Where a handler in front of the framework leaves the template of its route, such as ``/api/v1/reservations``."""

UNKNOWN_ROUTE = "(unknown)"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED = 400
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

IN_FLIGHT = gauge("httpREQUESTS_in_flight", "Requests that are being answered.")

NOBODY = Asking(ANONYMOUS)
_log = get_log("web.access")
REQUESTS = RequestLog("web.access")


class Traffic:
    """How many requests are in flight, how many may be, and whether new ones should go elsewhere."""

    def __init__(self) -> None:
        """Start empty and open."""
        self.in_flight = 0
        self.draining = False
        self.gate = Gate()


class Edge:
    """Wraps the app. Every answer, whatever made it, leaves through here."""

    def __init__(
        self,
        app: ASGIApp,
        api: FastAPI,
        make_id: MakeId,
        traffic: Traffic,
        *,
        https: bool,
        wrote: Callable[[str], None] = lambda _route: None,
    ) -> None:
        """``app`` is what to wrap, and ``api`` what of it FastAPI serves.

        ``wrote`` is called with the route of what may have written something. ``https`` says that buyers reach the
        product by it, so that browsers may be told to insist.
        """
        self._app = app
        self._make_id = make_id
        self.api = api
        self.traffic = traffic
        IN_FLIGHT.set_function(lambda: traffic.in_flight)
        headers = security_headers(https=https)

        @lru_cache(maxsize=1_024)
        def fixed(given: tuple[bytes, ...]) -> Fixed:
            """Write what an answer with these fields does not have yet. There are as many kinds as answers of ours."""
            names = {name.lower() for name in given}
            return written([(name, value) for name, value in headers if name not in names])

        self.fixed = fixed
        self.wrote = wrote

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            if is_tracing():
                with request_span(scope["method"], scope["headers"]):
                    await self._serve(dict(scope), receive, send)
            else:
                await self._serve(dict(scope), receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        found_id = sent_id(fields_of(scope)) or str(self._make_id())
        token = request_id.set(found_id)
        asked = asking.set(NOBODY)
        answer = _Answer(send, found_id.encode(), scope, self.fixed)
        started = time.perf_counter()
        gate = self.traffic.gate
        rank = rank_of(scope["path"])
        refused = gate.refuse() if gate.refuses(rank) else None
        self._count(1, rank)
        try:
            if refused is None:
                await self._app(scope, receive, answer.send)
            else:
                await problem_response(refused, scope)(scope, receive, answer.send)
        except Exception:  # noqa: BLE001 (the last net: the log has it, the client gets a problem)
            _log.exception("unexpected", route=route_of(scope))
            if not answer.status:
                await problem_response(Unexpected(), scope)(scope, receive, answer.send)
        finally:
            self._count(-1, rank)
            if scope["method"] not in SAFE_METHODS and answer.status < _REFUSED:
                self.wrote(route_of(scope))
            seconds = time.perf_counter() - started
            if refused is None and rank is not Rank.ALWAYS:
                gate.note_answered(seconds)
            _record(scope, answer.status, seconds)
            request_id.reset(token)
            asking.reset(asked)

    def _count(self, change: int, rank: Rank) -> None:
        self.traffic.in_flight += change
        if rank is not Rank.ALWAYS:
            self.traffic.gate.count(change)


class _Answer:
    """Adds headers to an answer and remembers its status. A HEAD is answered by what answers GET, without the body."""

    __slots__ = ("_bodiless", "_fixed", "_has_wire", "_id", "_send", "status")

    def __init__(self, send: Send, found_id: bytes, scope: Scope, fixed: Callable[[tuple[bytes, ...]], Fixed]) -> None:
        self._send = send
        self._id = found_id
        self._fixed = fixed
        self._has_wire = has_wire(scope)
        self._bodiless = scope["method"] == "HEAD"
        self.status = 0
        if self._bodiless:
            scope["fullhouse.method"] = "HEAD"
            scope["method"] = "GET"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            fixed = self._fixed(tuple([name for name, _ in given]))
            if self._has_wire:
                message["headers"] = [*given, (b"x-request-id", self._id)]
                message[FIXED] = fixed
            else:
                message["headers"] = [*given, *fixed.pairs, (b"x-request-id", self._id)]
        elif self._bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def security_headers(*, https: bool) -> list[tuple[bytes, bytes]]:
    """Return what every answer says to browsers unless the route says something else; pages allow themselves more."""
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"cache-control", b"no-store"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-permitted-cross-domain-policies", b"none"),
    ]
    if https:
        headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    return headers


def route_of(scope: Scope) -> str:
    """Return the template of the route that was found, never the path: paths may be long, many, or secret."""
    if ROUTE_KEY in scope:
        return str(scope[ROUTE_KEY])
    template = getattr(scope.get("route"), "path_format", None)
    if not isinstance(template, str):
        return UNKNOWN_ROUTE
    # A router does not know the prefix under which the app has put it.
    return API_PREFIX + template if scope["path"].startswith(API_PREFIX + "/") else template


def sent_id(fields: Mapping[bytes, bytes]) -> str | None:
    """Return the id that a request brought, if it may be one."""
    value = fields.get(b"x-request-id")
    return value.decode() if value is not None and _REQUEST_ID.fullmatch(value) else None


def _record(scope: Scope, status: int, seconds: float) -> None:
    sent = scope.get("fullhouse.method", scope["method"])
    method = sent if sent in _METHODS else "other"
    route = route_of(scope)
    if is_tracing():
        describe(f"{method} {route}", **{"http.response.status_code": status, "http.route": route})
    METERS.of(method, route, status).note(seconds)
    if REQUESTS.is_on:
        facts = _who_and_what(scope)
        REQUESTS.write("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2), **facts)


def _who_and_what(scope: Scope) -> dict[str, Any]:
    """Name the actor and the ids in the path; other parts of a path are not logged."""
    facts: dict[str, Any] = {
        name: str(value) for name, value in scope.get("path_params", {}).items() if _is_uuid(value)
    }
    actor = scope.get("state", {}).get("actor")
    if actor is not None:
        facts["actor"] = actor.label
    return facts


def _is_uuid(value: object) -> bool:
    read: Callable[[str], UUID] = UUID
    try:
        return isinstance(value, UUID) or str(read(str(value))) == value
    except ValueError:
        return False
