"""Who may do what: the permissions of each role, and whether a secret or a membership opens a thing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fullhouse.core.actor import Actor
from fullhouse.core.errors import Forbidden, Unauthenticated
from fullhouse.core.secrets import same_hash
from fullhouse.organizations.rules import OrganizationNotFound, Role

Permission = Literal[
    "organization:read",
    "event:read",
    "event:write",
    "event:publish",
    "session:write",
    "stock:block",
    "seat_map:publish",
    "order:read",
    "order:cancel",
    "refund:write",
    "ticket:scan",
    "report:read",
    "webhook:write",
    "member:write",
    "api_key:write",
]

_SCANNER = frozenset[Permission]({"ticket:scan"})
_BOX_OFFICE = frozenset[Permission](
    {*_SCANNER, "organization:read", "event:read", "stock:block", "order:read", "order:cancel", "report:read"}
)
_MANAGER = frozenset[Permission](
    {*_BOX_OFFICE, "event:write", "event:publish", "session:write", "seat_map:publish", "refund:write", "webhook:write"}
)
_OWNER = frozenset[Permission]({*_MANAGER, "member:write", "api_key:write"})

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: _OWNER,
    Role.MANAGER: _MANAGER,
    Role.BOX_OFFICE: _BOX_OFFICE,
    Role.SCANNER: _SCANNER,
}
"""The one table of what each role may do."""


class CredentialMissing(Unauthenticated):
    """The request carries no credential of a kind that opens this."""

    code = "credential_missing"
    title = "A credential is needed."


class CredentialUnknown(Unauthenticated):
    """The credential is not known, or has expired or been revoked."""

    code = "credential_unknown"
    title = "The credential is not known, or has expired or been revoked."


class PermissionMissing(Forbidden):
    """The actor's role does not include the permission."""

    code = "permission_missing"
    title = "Your role does not allow this."


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


def opens(asker: Asker, organization_id: UUID, secret_hash: bytes) -> bool:
    """Say whether somebody may open a thing of an organization; where not, answer that there is no such thing."""
    if asker.secret is not None:
        return same_hash(asker.secret, secret_hash)
    return asker.actor.organization_id == organization_id


def check_permission(actor: Actor, permission: Permission) -> None:
    """Raise ``PermissionMissing`` unless the actor was granted the permission."""
    if permission not in actor.permissions:
        raise PermissionMissing(permission=permission)
