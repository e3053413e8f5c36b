"""Finding who asks: what the dependencies of ``http`` share."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from fullhouse.access.find_actor import Actors, SignedIn
from fullhouse.access.rules import (
    CredentialMissing,
    CredentialUnknown,
    Grant,
    Permission,
    ThingNotFound,
    check_permission,
)
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.infra.audit_log import Asking, asking, shortened
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot_reading import find_header
from fullhouse.organizations.rules import OrganizationNotFound

CREDENTIAL_LENGTH_MAX = 4096

Scheme = Literal["Bearer", "Order", "Reservation", "Allocation"]
_SCHEMES: dict[str, Scheme] = {
    "bearer": "Bearer",
    "order": "Order",
    "reservation": "Reservation",
    "allocation": "Allocation",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What stood in the ``Authorization`` header."""

    scheme: Scheme
    value: str


def read_credential(headers: Headers) -> Credential | None:
    """Read the ``Authorization`` header; one of another scheme, or too long, is none of ours."""
    return credential_in(headers.get("authorization", ""))


def credential_in(text: str) -> Credential | None:
    """Read the value of such a header."""
    scheme, _, value = text.partition(" ")
    known = _SCHEMES.get(scheme.lower())
    value = value.strip(" ")
    if known is None or not value or len(value) > CREDENTIAL_LENGTH_MAX or not value.isascii():
        return None
    return Credential(known, value)


async def find_bearer(request: Request, *schemes: Scheme) -> Actor | SignedIn:
    """Return who stands behind a Bearer credential. Raises ``CredentialMissing`` and ``CredentialUnknown``."""
    sent = find_header(request.scope, b"authorization")
    credential = None if sent is None else credential_in(sent.decode("latin-1"))
    if credential is None or credential.scheme != "Bearer":
        raise CredentialMissing(schemes=[*(schemes or ("Bearer",))])
    found = await actors_of(request).find_bearer(credential.value)
    if found is None:
        raise CredentialUnknown(schemes=[*(schemes or ("Bearer",))])
    name_actor(request, found if isinstance(found, Actor) else person(found))
    return found


def grant_of(actor: Actor, permission: Permission) -> Grant:
    """Grant a permission in the actor's organization. Raises ``PermissionMissing``."""
    if actor.organization_id is None:
        raise CredentialMissing(schemes=["Bearer"])
    check_permission(actor, permission)
    return Grant(actor, actor.organization_id)


class OpenGrant:
    """Somebody with a permission, in an organization that the route has yet to name."""

    def __init__(self, request: Request, found: Actor | SignedIn, permission: Permission) -> None:
        """Keep who asks."""
        self._request = request
        self._found = found
        self._permission: Permission = permission

    async def grant_in(self, organization_id: UUID) -> Grant:
        """Grant the permission in an organization. Raises ``OrganizationNotFound`` for who has no place there."""
        if isinstance(self._found, Actor):
            grant = grant_of(self._found, self._permission)
            grant.check_organization(organization_id)
            return grant
        return self._keep(await actors_of(self._request).find_member(self._found, organization_id))

    async def grant_at(self, session_id: UUID | None) -> Grant:
        """Grant the permission in the organization of a session, or else in the oldest where who asks has it.

        A session that nobody knows, or of an organization in which who asks has no place, is as none.
        Raises ``PermissionMissing``.
        """
        if isinstance(self._found, Actor):
            return grant_of(self._found, self._permission)
        actors = actors_of(self._request)
        if session_id is not None:
            try:
                organization_id = await actors.find_owner_of("session", session_id)
                return self._keep(await actors.find_member(self._found, organization_id))
            except (ThingNotFound, OrganizationNotFound):
                pass
        return self._keep(await actors.find_anywhere(self._found, self._permission) or person(self._found))

    def _keep(self, actor: Actor) -> Grant:
        name_actor(self._request, actor)
        check_permission(actor, self._permission)
        return grant_of(actor, self._permission)


def name_actor(request: Request, actor: Actor) -> None:
    """Tell the access log and the audit log who asks, and from where."""
    name_actor_in(request.scope, actor)


def name_actor_in(scope: Scope, actor: Actor) -> None:
    """Tell the same of a request that no framework has read."""
    scope.setdefault("state", {})["actor"] = actor
    client = scope.get("client")
    _leave_asking(actor, client[0] if client else None, find_header(scope, b"user-agent"))


def grant_at_a_glance(asked: Asked, permission: Permission) -> Grant | None:
    """Grant a permission to an API key that was seen a moment ago. None for everybody else: they go the long way.

    Raises ``PermissionMissing``.
    """
    sent = asked.fields.get(b"authorization")
    credential = None if sent is None else credential_in(sent.decode("latin-1"))
    if credential is None or credential.scheme != "Bearer":
        return None
    actors: Actors = asked.state.actors
    actor = actors.peek_key(credential.value)
    if actor is None:
        return None
    name_asking(asked, actor)
    return grant_of(actor, permission)


def name_asking(asked: Asked, actor: Actor) -> None:
    """Tell who asks for what is answered at a glance."""
    asked.actor = actor
    _leave_asking(actor, asked.client, asked.fields.get(b"user-agent"))


def _leave_asking(actor: Actor, address: str | None, agent: bytes | None) -> None:
    asking.set(Asking(actor, address, shortened((agent or b"").decode("latin-1"))))


def actors_of(request: Request) -> Actors:
    """Return what this process knows of those who ask."""
    actors: Actors = request.app.state.actors
    return actors


def person(user: SignedIn) -> Actor:
    """Return a user as nobody's member: for logs, and for what needs no organization."""
    return Actor(kind=ActorKind.USER, actor_id=user.user_id, label=f"user {user.user_id}")
