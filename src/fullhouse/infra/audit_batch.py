"""Writing what many requests of one organization did: rows of a feature, messages, audit entries, in one statement.

A message or an entry may need one of the new rows: where that is not written, since somebody was faster, neither are
they. So nothing has to be known of the rows before messages and entries are written, and all of it is there or nothing,
also without a transaction around it.
"""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, Asking, is_recorded
from fullhouse.infra.outbox import Told, append_arguments
from fullhouse.infra.postgres import Connection


class RecordedAct(NamedTuple):
    """An act of one of many requests."""

    asking: Asking
    request_id: str | None
    act: Act
    needs: UUID | None = None
    """The new row without which it was not done."""


class ToldOf(NamedTuple):
    """A message of one of many requests, and the new row without which there is none."""

    needs: UUID
    told: Told


class Deeds(NamedTuple):
    """What many requests did."""

    told: Sequence[ToldOf]
    acts: Sequence[RecordedAct]


def with_deeds(insert: LiteralString) -> LiteralString:
    """Return the statement that inserts rows and writes what came of them.

    ``insert`` takes the organization as ``$1`` and its own from ``$22`` on, and returns the ids of its rows as ``id``.
    """
    return "WITH new AS (" + insert + ")" + _WRITE_DEEDS


async def write_with_deeds(
    conn: Connection,
    make_id: MakeId,
    organization_id: UUID,
    deeds: Deeds,
    statement: LiteralString,
    *arguments: object,
) -> frozenset[UUID]:
    """Run a statement made by ``with_deeds``, in which messages and entries keep their order; return the new ids."""
    facts = [one.told.fact for one in deeds.told]
    told = append_arguments([make_id() for _ in facts], facts)[1:7]
    acts = [one for one in deeds.acts if is_recorded(one.asking)]
    rows = await conn.fetch(
        statement,
        organization_id,
        [one.needs for one in deeds.told],
        *told,
        [one.told.request_id for one in deeds.told],
        [one.told.traceparent for one in deeds.told],
        [one.asking.actor.kind.value for one in acts],
        [one.asking.actor.actor_id for one in acts],
        [one.asking.actor.label for one in acts],
        [one.act.action for one in acts],
        [one.act.thing_kind for one in acts],
        [one.act.thing_id for one in acts],
        [one.act.details for one in acts],
        [one.request_id for one in acts],
        [one.asking.address for one in acts],
        [one.asking.user_agent for one in acts],
        [one.needs for one in acts],
        *arguments,
    )
    return frozenset([row["id"] for row in rows])


_WRITE_DEEDS = """, told AS (
    INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id, traceparent)
    SELECT $1, f.message_id, f.partition, f.key, f.type, f.version, f.data, f.request_id, f.traceparent
    FROM unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::uuid[], $6::text[], $7::smallint[], $8::jsonb[],
                $9::text[], $10::text[]) WITH ORDINALITY
        AS f(needs, message_id, partition, key, type, version, data, request_id, traceparent, ordinal)
    WHERE f.needs IN (SELECT id FROM new) ORDER BY f.ordinal
), origin AS MATERIALIZED (
    SELECT a.*, sha256(a.salt || convert_to(a.address || chr(31) || a.user_agent, 'UTF8')) AS digest
    FROM (
        SELECT *, uuid_send(gen_random_uuid()) AS salt
        FROM unnest($11::text[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::uuid[], $17::jsonb[],
                    $18::text[], $19::text[], $20::text[], $21::uuid[]) WITH ORDINALITY
            AS a(actor_kind, actor_id, actor_label, action, thing_kind, thing_id, details, request_id, address,
                 user_agent, needs, ordinal)
        OFFSET 0
    ) AS a WHERE a.needs IS NULL OR a.needs IN (SELECT id FROM new)
), entry AS (
    INSERT INTO audit_entries (organization_id, actor_kind, actor_id, actor_label, action, thing_kind, thing_id,
                               details, request_id, origin_digest)
    SELECT $1, actor_kind, actor_id, actor_label, action, thing_kind, thing_id, details, request_id, digest
    FROM origin ORDER BY ordinal RETURNING position, origin_digest
), from_where AS (
    INSERT INTO audit_origins (organization_id, position, salt, address, user_agent)
    SELECT $1, entry.position, origin.salt, origin.address, origin.user_agent
    FROM entry JOIN origin ON origin.digest = entry.origin_digest
), arrival AS (
    INSERT INTO audit_arrivals (organization_id, position) SELECT $1, entry.position FROM entry
)
SELECT id FROM new
"""
"""Salts are random, so a digest belongs to one origin; entries without an address have neither."""
