"""The actor: who is asking."""

from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID


class ActorKind(Enum):
    """How somebody showed who they are."""

    ANONYMOUS = "anonymous"
    HOLDER = "holder"
    API_KEY = "api_key"
    USER = "user"
    OPERATOR = "operator"
    """Whoever runs the program, at its command line."""
    SYSTEM = "system"
    """The program by itself: workers and the schedule."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking, and what they were granted. ``permissions`` are names from ``access/rules.py``."""

    kind: ActorKind
    organization_id: UUID | None = None
    """The organization whose API key or member this is; none for buyers."""
    actor_id: UUID | None = None
    label: str = "anonymous"
    """For logs: never a secret, never a name of a person."""
    permissions: frozenset[str] = field(default_factory=frozenset[str])
    second_factor: bool = False
    """Whether a user signed in with one."""
    session_ids: frozenset[UUID] = field(default_factory=frozenset[UUID])
    """The sessions that a scanner's key is bound to; none named means any of its organization."""
    gates: frozenset[str] = field(default_factory=frozenset[str])
    """The gates that it is bound to; none named means any."""


ANONYMOUS = Actor(kind=ActorKind.ANONYMOUS)
OPERATOR = Actor(kind=ActorKind.OPERATOR, label="operator")
SYSTEM = Actor(kind=ActorKind.SYSTEM, label="system")
