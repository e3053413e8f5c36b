"""Who may do what: the permissions of each role, and the errors of who may not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fullhouse.core.actor import Actor
from fullhouse.core.errors import Forbidden, NotFound, Unauthenticated
from fullhouse.organizations.rules import OrganizationNotFound, Role

Permission = Literal[
    "organization:read",
    "organization:write",
    "member:read",
    "member:write",
    "api_key:write",
    "audit:read",
    "privacy:write",
    "event:read",
    "event:write",
    "event:publish",
    "session:write",
    "price:write",
    "stock:block",
    "seat_map:publish",
    "order:read",
    "order:cancel",
    "order:write",
    "order:give",
    "refund:write",
    "refund:unlimited",
    "ticket:scan",
    "report:read",
    "webhook:write",
    "payment_provider:write",
]

_SCANNER = frozenset[Permission]({"ticket:scan"})
_BOX_OFFICE = _SCANNER | frozenset[Permission](
    {
        "organization:read",
        "event:read",
        "stock:block",
        "order:read",
        "order:cancel",
        "order:write",
        "order:give",
        "report:read",
    }
)
_MANAGER = _BOX_OFFICE | frozenset[Permission](
    {
        "event:write",
        "event:publish",
        "session:write",
        "price:write",
        "seat_map:publish",
        "refund:write",
        "webhook:write",
        "member:read",
        "member:write",
    }
)
_OWNER = _MANAGER | frozenset[Permission](
    {"organization:write", "api_key:write", "audit:read", "payment_provider:write", "privacy:write", "refund:unlimited"}
)

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: _OWNER,
    Role.MANAGER: _MANAGER,
    Role.BOX_OFFICE: _BOX_OFFICE,
    Role.SCANNER: _SCANNER,
}
"""The one table of what each role may do. What depends on a state beside the role stands in ``access/policies``."""


class CredentialMissing(Unauthenticated):
    """The request carries no credential of a kind that opens this."""

    code = "credential_missing"
    title = "A credential is needed."


class CredentialUnknown(Unauthenticated):
    """The credential is not known, or has expired or been revoked."""

    code = "credential_unknown"
    title = "The credential is not known, or has expired or been revoked."


class PermissionMissing(Forbidden):
    """The actor's role, or the scopes of their key, do not include the permission."""

    code = "permission_missing"
    title = "Your role does not allow this."


class UserNeeded(Forbidden):
    """Only people with an account can do it; an API key belongs to an organization and is nobody."""

    code = "user_needed"
    title = "This is for people who are signed in, not for API keys."


class SecondFactorRequired(Forbidden):
    """The organization lets in only those who signed in with a second factor."""

    code = "second_factor_required"
    title = "This organization asks for a second factor; sign in with yours."


class ThingNotFound(NotFound):
    """Nothing of that kind has the id, or it belongs to an organization in which the actor has no place."""

    def __init__(self, kind: str = "thing") -> None:
        """Name the kind as the feature that owns it does: ``event_not_found``."""
        words = kind.replace("_", " ")
        super().__init__(f"There is no such {words} here.")
        self.code = f"{kind}_not_found"  # pyright: ignore[reportAttributeAccessIssue] (one refusal's own code)


@dataclass(frozen=True, slots=True)
class Grant:
    """An actor's right to act in one organization, checked against the permission that the route declares.

    Use ``organization_id`` in the WHERE of every statement: what belongs to others is then not found.
    """

    actor: Actor
    organization_id: UUID

    def check_organization(self, organization_id: UUID) -> None:
        """Raise ``OrganizationNotFound`` if a request names another organization than the actor's own."""
        if organization_id != self.organization_id:
            raise OrganizationNotFound


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a thing that two kinds of people may open: the holder of its secret, or a member."""

    actor: Actor
    secret: str | None = None
    """The secret that was sent, not yet compared with anything; None for members."""


def check_permission(actor: Actor, permission: Permission) -> None:
    """Raise ``PermissionMissing`` unless the actor was granted the permission."""
    if permission not in actor.permissions:
        raise PermissionMissing(permission=permission)
