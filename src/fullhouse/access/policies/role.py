"""Roles: nobody gives what they have not, and nobody touches who stands beside or above them, owners aside.

Both compare what may be done, not names of roles, so a key with few scopes gives nothing beyond them.
"""

from collections.abc import Collection

from fullhouse.access.rules import PERMISSIONS
from fullhouse.core.actor import Actor
from fullhouse.core.errors import Forbidden
from fullhouse.organizations.rules import Role


class RoleAboveOwn(Forbidden):
    """More would be given, or taken, than the actor has."""

    code = "role_above_own"
    title = "That is above your own role."


def check_gives(actor: Actor, given: Collection[str]) -> None:
    """Raise ``RoleAboveOwn`` unless the actor may do all that they would let somebody else do."""
    missing = sorted(frozenset(given) - actor.permissions)
    if missing:
        raise RoleAboveOwn(permissions=missing)


def check_gives_role(actor: Actor, role: Role) -> None:
    """Raise ``RoleAboveOwn`` unless the actor may do all that a role may."""
    check_gives(actor, PERMISSIONS[role])


def check_touches(actor: Actor, present: Role) -> None:
    """Raise ``RoleAboveOwn`` unless somebody with a role may be changed or removed by the actor.

    That takes more than they have; those who have all there is, owners, may touch each other.
    """
    theirs: frozenset[str] = PERMISSIONS[present]
    if not (theirs < actor.permissions or actor.permissions >= PERMISSIONS[Role.OWNER]):
        raise RoleAboveOwn(role=present.value)
