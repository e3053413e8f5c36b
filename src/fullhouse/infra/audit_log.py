"""The audit log: who did what to which thing, from where; written in the transaction of the act.

A verb of organizers or of the door calls ``record`` beside its writes. Who asks and from where is not handed down:
the roots leave it in ``asking``, as they leave the request's id for the outbox. What buyers and the program by itself
do is not recorded; it stands in the tables and messages of the sale.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.core.actor import SYSTEM, Actor, ActorKind
from fullhouse.core.json import Json
from fullhouse.infra.outbox import APPEND, append_arguments
from fullhouse.infra.postgres import Connection

USER_AGENT_LENGTH_MAX = 200
_RECORDED = frozenset({ActorKind.API_KEY, ActorKind.USER, ActorKind.OPERATOR})


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and from where: an address and what the program there calls itself. Commands have neither."""

    actor: Actor
    address: str | None = None
    user_agent: str = ""


_BY_ITSELF = Asking(SYSTEM)

asking: ContextVar[Asking] = ContextVar("asking", default=_BY_ITSELF)
"""Who this task works for: in a request nobody, until ``access`` names the actor; in a command the operator."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to which thing. ``details`` are few and small, and hold no secret and nothing of a person."""

    action: str
    """A stable name, ``thing.verb``; ``docs/reference/audit-log.md`` lists them all."""
    thing_kind: str
    thing_id: UUID
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])


def shortened(user_agent: str) -> str:
    """Return what a program calls itself, as far as it can be printed, in at most ``USER_AGENT_LENGTH_MAX``."""
    if not user_agent.isprintable():
        user_agent = "".join(character for character in user_agent if character.isprintable())
    return user_agent[:USER_AGENT_LENGTH_MAX]


@contextmanager
def acting_as(actor: Actor) -> Generator[None]:
    """Run a block for somebody: a command for the operator."""
    token = asking.set(Asking(actor))
    try:
        yield
    finally:
        asking.reset(token)


def is_recorded(asked: Asking) -> bool:
    """Say whether the log hears of what somebody does: not of buyers, nor of the program by itself."""
    return asked.actor.kind in _RECORDED


async def record(conn: Connection, organization_id: UUID, act: Act) -> None:
    """Write an entry in the caller's transaction, in one statement that waits for nobody."""
    if is_recorded(asking.get()):
        await conn.execute(_RECORD, *append_arguments((), ()), *_arguments(organization_id, act))


_RECORD = (
    """
WITH origin AS (
    SELECT uuid_send(gen_random_uuid()) AS salt, $18::text AS address, $19::text AS user_agent
), entry AS (
    INSERT INTO audit_entries (organization_id, actor_kind, actor_id, actor_label, action, thing_kind, thing_id,
                               details, request_id, origin_digest)
    SELECT $10, $11, $12, $13, $14, $15, $16, $17, $8,
           sha256(origin.salt || convert_to(origin.address || chr(31) || origin.user_agent, 'UTF8'))
    FROM origin RETURNING position
), from_where AS (
    INSERT INTO audit_origins (organization_id, position, salt, address, user_agent)
    SELECT $10, entry.position, origin.salt, origin.address, origin.user_agent FROM entry, origin
    WHERE origin.address IS NOT NULL
), arrival AS (
    INSERT INTO audit_arrivals (organization_id, position) SELECT $10, entry.position FROM entry
)
"""
    + APPEND
)


def _arguments(organization_id: UUID, act: Act) -> Sequence[object]:
    asked = asking.get()
    return (
        organization_id,
        asked.actor.kind.value,
        asked.actor.actor_id,
        asked.actor.label,
        act.action,
        act.thing_kind,
        act.thing_id,
        dict(act.details),
        asked.address,
        asked.user_agent,
    )
