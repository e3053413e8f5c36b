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
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.message import Fact
from fullhouse.infra.outbox import append, partition_of, request_id
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
    return "".join(character for character in user_agent if character.isprintable())[:USER_AGENT_LENGTH_MAX]


@contextmanager
def acting_as(actor: Actor) -> Generator[None]:
    """Run a block for somebody: a command for the operator."""
    token = asking.set(Asking(actor))
    try:
        yield
    finally:
        asking.reset(token)


async def record(conn: Connection, organization_id: UUID, act: Act) -> None:
    """Write an entry in the caller's transaction, in one statement that waits for nobody."""
    if asking.get().actor.kind in _RECORDED:
        await conn.execute(_RECORD, *_arguments(organization_id, act), *_facts((), None))


async def append_and_record(
    conn: Connection, make_id: MakeId, facts: Sequence[Fact], organization_id: UUID, act: Act
) -> None:
    """Write facts into the outbox and an entry, in one statement: for the door, which counts its round trips."""
    if asking.get().actor.kind in _RECORDED:
        await conn.execute(_RECORD, *_arguments(organization_id, act), *_facts(facts, make_id))
    else:
        await append(conn, make_id, facts)


_RECORD = """
WITH origin AS (
    SELECT uuid_send(gen_random_uuid()) AS salt, $9::text AS address, $10::text AS user_agent
), entry AS (
    INSERT INTO audit_entries (organization_id, actor_kind, actor_id, actor_label, action, thing_kind, thing_id,
                               request_id, details, origin_digest)
    SELECT $1, $2, $3, $4, $5, $6, $7, $18, $8,
           sha256(origin.salt || convert_to(origin.address || chr(31) || origin.user_agent, 'UTF8'))
    FROM origin RETURNING position
), from_where AS (
    INSERT INTO audit_origins (organization_id, position, salt, address, user_agent)
    SELECT $1, entry.position, origin.salt, origin.address, origin.user_agent FROM entry, origin
    WHERE origin.address IS NOT NULL
), waiting AS (
    INSERT INTO audit_arrivals (organization_id, position) SELECT $1, entry.position FROM entry
)
INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id)
SELECT f.organization_id, f.message_id, f.partition, f.key, f.type, f.version, f.data, $18
FROM unnest($11::uuid[], $12::uuid[], $13::smallint[], $14::uuid[], $15::text[], $16::smallint[], $17::jsonb[])
    WITH ORDINALITY AS f(organization_id, message_id, partition, key, type, version, data, ordinal)
ORDER BY f.ordinal
"""


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


def _facts(facts: Sequence[Fact], make_id: MakeId | None) -> Sequence[object]:
    return (
        [fact.organization_id for fact in facts],
        [make_id() for _ in facts] if make_id else [],
        [partition_of(fact.key) for fact in facts],
        [fact.key for fact in facts],
        [fact.type for fact in facts],
        [fact.version for fact in facts],
        [fact.data() for fact in facts],
        request_id.get(),
    )
