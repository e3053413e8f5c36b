"""Whose rows a connection is for, and what its session is told so that row level security shows no others.

The policies are in ``migrations/row_security.sql``. They read two settings, and each connection works as one of two
roles that own nothing.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from uuid import UUID

from fullhouse.infra.errors import OperatorError

APP_ROLE = "fullhouse_app"
"""Sees the rows of one organization at a time."""

WORKER_ROLE = "fullhouse_worker"
"""Crosses organizations."""

_STANDINGS_KEPT = 4_096


class Span(Enum):
    """Whose rows a connection is for, where they are not one organization's."""

    NO_ORGANIZATION = "no organization"
    EVERY_ORGANIZATION = "every organization"


@dataclass(frozen=True, slots=True)
class OfUser:
    """The rows that concern one person, in whatever organization."""

    user_id: UUID


Whose = UUID | OfUser | Span
"""Whose rows a connection is for."""


class MayNotCross(OperatorError):
    """What this process does crosses organizations, and its sign-in to the database may not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a session is told: the role that it works as (empty: as it signed in), and the two settings."""

    role: str = ""
    organization_id: str = ""
    user_id: str = ""

    def settings(self) -> tuple[str, str, str]:
        """Return what SET takes. Nothing but constants and the digits of ids gets into the text."""
        return (
            f"role = {self.role or 'none'}",
            f"fullhouse.organization_id = '{self.organization_id}'",
            f"fullhouse.user_id = '{self.user_id}'",
        )


@lru_cache(maxsize=_STANDINGS_KEPT)
def standing_for(whose: Whose, roles: frozenset[str]) -> Standing:
    """Return how a session stands for these rows, given the roles that it may work as.

    Where it may work as neither, it works as it signed in. Raises ``MayNotCross``.
    """
    if whose is Span.EVERY_ORGANIZATION:
        if APP_ROLE in roles and WORKER_ROLE not in roles:
            raise MayNotCross(
                f"the database sign-in of this process may not work as {WORKER_ROLE}, which crosses organizations; "
                f"grant it that role, or run this with another sign-in"
            )
        return Standing(role=WORKER_ROLE if WORKER_ROLE in roles else "")
    role = APP_ROLE if APP_ROLE in roles else ""
    match whose:
        case UUID():
            return Standing(role, organization_id=str(whose))
        case OfUser(user_id):
            return Standing(role, user_id=str(user_id))
        case Span():
            return Standing(role)


def changes(before: Standing | None, wanted: Standing, verb: str) -> str:
    """Return the statements that bring a session from one standing to another; None means that it is not known."""
    known = before.settings() if before else (None, None, None)
    return "; ".join(f"{verb} {after}" for after, now in zip(wanted.settings(), known, strict=True) if after != now)
