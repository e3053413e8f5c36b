"""How often who may ask for what: the limits that every request passes before its body is read.

A request counts against the budget of its purpose. Who shows a credential that this process has seen to be good has a
budget of their own, so that nobody else's flood from the same address locks them out; everybody else shares that of
their address. Which credentials are good is learned from the answers, so no limit asks the database.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullhouse.core.actor import Actor, ActorKind
from fullhouse.core.secrets import derive_key
from fullhouse.infra.client_address import Headers, Proxies, network_of
from fullhouse.infra.hot_reading import find_header
from fullhouse.infra.rate_budgets import Decision
from fullhouse.infra.rate_limits import Limiter, Limits, NoLimits, used_up
from fullhouse.infra.resources import Resources
from fullhouse.settings import Settings
from fullhouse.web.at_once import Plain
from fullhouse.web.errors import problem_response
from fullhouse.web.paths import API_PREFIX

TAKEN = "fullhouse.taken"
"""Where a scope has what its budgets have allowed before it came here."""

CREDENTIALS_MAX = 20_000
"""Of so many good credentials a process remembers the budget."""

_EXEMPT = frozenset({"/healthz", "/readyz", "/metrics"})
_SIGN_IN_PAGES = ("/sign-in", "/register", "/account/", "/orders/links", "/invitations/")
_READS = frozenset({"GET", "HEAD"})
_UNAUTHENTICATED = 401
_REFUSED = 400


def open_limits(resources: Resources, settings: Settings) -> Limits:
    """Make the limits of one process."""
    if not settings.rate_limits:
        return NoLimits()
    key = derive_key(resources.secret_key, "rate limits")
    return Limiter(resources.valkey, resources.clock, key, settings.budgets(), processes=settings.workers)


def purpose_of(method: str, path: str) -> str | None:
    """Return what a request is for, as budgets name it; None for what is not limited.

    Health and metrics must answer in any flood, and static files cost less than a refusal.
    """
    if path.startswith(API_PREFIX):
        return _purpose_in_api(method, path[len(API_PREFIX) :])
    if path in _EXEMPT or path.startswith("/static/"):
        return None
    if path.startswith("/orders/") and method in _READS:
        return "order_look_up"
    if method == "POST" and path.startswith(_SIGN_IN_PAGES):
        return "sign_in"
    return "hold" if path.startswith("/sessions/") and method == "POST" else "other"


def _purpose_in_api(method: str, path: str) -> str:
    if method == "POST":
        if path in {"/reservations", "/orders"}:
            return "hold"
        if path == "/tickets/validate":
            return "scan"
        if path == "/order-links" or (path.startswith("/auth/") and path != "/auth/logout"):
            return "sign_in"
        if path.startswith("/payments/webhooks/"):
            return "notice"
    elif method in _READS and path.startswith(("/orders/", "/tickets/", "/reservations/")):
        return "order_look_up"
    return "other"


class RateLimits:
    """Refuses what is too often, and tells everybody how much is left.

    It also finds the address of the client behind trusted proxies, and leaves it in ``scope["client"]``.
    """

    def __init__(self, app: ASGIApp, limits: Limits, proxies: Proxies) -> None:
        """Put the limits in front of an app."""
        self._app = app
        self._limits = limits
        self._proxies = proxies
        self.is_on = not isinstance(limits, NoLimits)
        self._known: OrderedDict[bytes, _Identity] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, if its budget is not used up."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = self._find_client(scope)
        purpose = purpose_of(scope["method"], scope["path"]) if self.is_on else None
        if purpose is None:
            await self._app(scope, receive, send)
            return
        credential = _known_as(find_header(scope, b"authorization"))
        decisions: list[Decision] = scope.pop(TAKEN, [])
        for budget, subject in self._counted(purpose, client, credential)[len(decisions) :]:
            decision = self._limits.take_now(budget, subject) or await self._limits.take(budget, subject)
            if not decision.allowed:
                await problem_response(used_up(decision), scope, _told([decision]))(scope, receive, send)
                return
            decisions.append(decision)
        await self._app(scope, receive, self._telling(scope, decisions, credential, send))

    def take_now(self, purpose: str, peer: tuple[str, int] | None, request: Plain) -> tuple[list[Decision], bool]:
        """Take from the budgets of a request what this process can decide by itself.

        Returns what was allowed, and whether that is all; if not, it goes on in ``scope[TAKEN]``.
        """
        client = self.address_of(peer, request.headers) or "unknown"
        decisions: list[Decision] = []
        for budget, subject in self._counted(purpose, client, _known_as(request.fields.get(b"authorization"))):
            decision = self._limits.take_now(budget, subject)
            if decision is None or not decision.allowed:
                return decisions, False
            decisions.append(decision)
        return decisions, True

    def learn(self, actor: Actor, authorization: bytes | None, status: int) -> None:
        """Take note of what a request that did not pass through here was answered."""
        credential = _known_as(authorization) if self.is_on else None
        if credential is not None:
            self._learn(actor, credential, status)

    def address_of(self, peer: tuple[str, int] | None, headers: Headers) -> str | None:
        """Return the address of the client behind trusted proxies, if there is one."""
        return None if peer is None else self._client_of(peer[0], headers)[0]

    def _find_client(self, scope: Scope) -> str:
        peer = scope.get("client")
        if peer is None:
            return "unknown"
        client, is_proxy = self._client_of(peer[0], scope["headers"])
        if is_proxy:
            scope["scheme"] = self._proxies.find_scheme(peer[0], scope["scheme"], scope["headers"])
        if client != peer[0]:
            scope["client"] = (client, 0)
        return client

    def _client_of(self, peer: str, headers: Headers) -> tuple[str, bool]:
        client, is_proxy = self._proxies.read_peer(peer)
        return (self._proxies.find_client(peer, headers), True) if is_proxy else (client, False)

    def _counted(self, purpose: str, client: str, credential: bytes | None) -> list[tuple[str, str]]:
        """Return the budgets against which a request counts, each with its subject."""
        identity = None if credential is None else self._known.get(credential)
        counted: list[tuple[str, str]] = []
        if identity is not None:
            counted.append((f"identity.{purpose}", identity.subject))
        if identity is None or purpose not in identity.alone:
            # A flood without credentials leaves room for the first request of a good one that is not known yet.
            counted.append(_of_address(purpose, "anonymous" if credential is None else "unknown", client))
        return counted

    def _telling(self, scope: Scope, decisions: list[Decision], credential: bytes | None, send: Send) -> Send:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *limit_fields(decisions)]
                if credential is not None:
                    actor = cast("Actor | None", scope.get("state", {}).get("actor"))
                    self._learn(actor, credential, message["status"])
            await send(message)

        return tell

    def _learn(self, actor: Actor | None, credential: bytes, status: int) -> None:
        """Remember whose a credential is that opened something, and forget one that opens nothing any more."""
        if status == _UNAUTHENTICATED:
            self._known.pop(credential, None)
        elif actor is not None and (status < _REFUSED or actor.kind is not ActorKind.HOLDER):
            # Of a holder only success says that the secret was right: they are named before it is compared.
            self._known.pop(credential, None)
            self._known[credential] = _identity_of(actor, credential)
            if len(self._known) > CREDENTIALS_MAX:
                self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Whose budget a good credential counts against, and for what against that alone."""

    subject: str
    alone: frozenset[str]


_MEMBERS_ALONE = frozenset({"scan", "order_look_up", "other"})
_HOLDERS_ALONE = frozenset({"order_look_up"})
_NOTHING_ALONE: frozenset[str] = frozenset()


def _identity_of(actor: Actor, credential: bytes) -> _Identity:
    """Give a user one budget for all of their tokens.

    The address counts as well for what a credential is no entitlement to: anybody can hold places, get a secret with
    them, and register.
    """
    subject = f"{actor.kind.value} {actor.actor_id or credential.hex()}"
    if actor.kind is ActorKind.HOLDER:
        return _Identity(subject, _HOLDERS_ALONE)
    return _Identity(subject, _NOTHING_ALONE if actor.organization_id is None else _MEMBERS_ALONE)


@lru_cache(maxsize=10_000)
def _of_address(purpose: str, kind: str, client: str) -> tuple[str, str]:
    """Return the budget of an address, and its subject."""
    return f"address.{purpose}", f"{kind} {network_of(client)}"


def _known_as(credential: bytes | None) -> bytes | None:
    """Return what a credential is remembered by."""
    return None if credential is None else blake2b(credential, digest_size=16).digest()


def limit_fields(decisions: list[Decision]) -> list[tuple[bytes, bytes]]:
    """Write the fields of draft-ietf-httpapi-ratelimit-headers-11: lists of structured fields, a policy for each."""
    if len(decisions) == 1:
        (one,) = decisions
        return [(b"ratelimit-policy", _policy(one.purpose, one.limit, one.window_seconds)), (b"ratelimit", _left(one))]
    return [
        (b"ratelimit-policy", b", ".join(_policy(*decision[:3]) for decision in decisions)),
        (b"ratelimit", b", ".join(map(_left, decisions))),
    ]


def _told(decisions: list[Decision]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in limit_fields(decisions)}


@lru_cache
def _policy(purpose: str, limit: int, window_seconds: int) -> bytes:
    """Write the policy of a budget; there are as many as budgets."""
    return f'"{purpose}";q={limit};w={window_seconds}'.encode()


def _left(decision: Decision) -> bytes:
    return f'"{decision.purpose}";r={decision.remaining};t={decision.reset_seconds}'.encode()
