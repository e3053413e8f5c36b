"""The outbox: messages written in the transaction of the facts that they tell, sent after commit by the relay."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Fact
from fullhouse.infra.postgres import Connection
from fullhouse.infra.tracing import traceparent

PARTITIONS = 64
"""Keys are spread over this many partitions; one relay at a time sends a partition, so a key keeps its order."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request, or the message, that this task works for. Set by the roots, copied into every message."""


@contextmanager
def in_the_name_of(request: str | None) -> Generator[None]:
    """Let what is written in the block name a request, of the many that share a transaction."""
    before = request_id.set(request)
    try:
        yield
    finally:
        request_id.reset(before)


class Cause(NamedTuple):
    """For whom something is done: the request, or the message, and the context of its span."""

    request_id: str | None
    traceparent: str | None


def this_cause() -> Cause:
    """Return for whom this task works, to be named by whoever does it together with the wishes of others."""
    return Cause(request_id.get(), traceparent())


_APPEND = """
INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id, traceparent)
SELECT f.organization_id, f.message_id, f.partition, f.key, f.type, f.version, f.data, $8, $9
FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::uuid[], $5::text[], $6::smallint[], $7::jsonb[])
    WITH ORDINALITY AS f(organization_id, message_id, partition, key, type, version, data, ordinal)
"""
APPEND = _APPEND + "ORDER BY f.ordinal"
"""The statement that writes facts, given ``append_arguments``; the audit log puts its own before it."""


async def append(conn: Connection, make_id: MakeId, facts: Sequence[Fact]) -> None:
    """Write facts into the outbox in the caller's transaction, in this order. Nothing leaves before the commit."""
    if facts:
        await conn.execute(APPEND, *append_arguments([make_id() for _ in facts], facts))


class Told(NamedTuple):
    """A fact of one of many requests whose facts are written together."""

    fact: Fact
    request_id: str | None
    traceparent: str | None


async def append_many(conn: Connection, make_id: MakeId, told: Sequence[Told]) -> None:
    """Write facts of several requests in the caller's transaction, in this order."""
    if told:
        await conn.execute(_APPEND_EACH + "ORDER BY f.ordinal", *append_each_arguments([make_id() for _ in told], told))


_APPEND_EACH = """
INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id, traceparent)
SELECT f.organization_id, f.message_id, f.partition, f.key, f.type, f.version, f.data, f.request_id, f.traceparent
FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::uuid[], $5::text[], $6::smallint[], $7::jsonb[],
            $8::text[], $9::text[])
    WITH ORDINALITY AS f(organization_id, message_id, partition, key, type, version, data, request_id, traceparent,
                         ordinal)
"""
APPEND_IF_NEW = _APPEND_EACH + "WHERE f.message_id IN (SELECT message_id FROM new) ORDER BY f.ordinal"
"""The statement that writes facts of several requests behind ``WITH … new AS (…)``: those whose ids are in that."""


def append_each_arguments(message_ids: Sequence[UUID], told: Sequence[Told]) -> Sequence[object]:
    """Return the nine arguments of ``APPEND_IF_NEW``."""
    return (
        *append_arguments(message_ids, [one.fact for one in told])[:7],
        [one.request_id for one in told],
        [one.traceparent for one in told],
    )


def append_arguments(message_ids: Sequence[UUID], facts: Sequence[Fact]) -> Sequence[object]:
    """Return the nine arguments of ``APPEND``."""
    return (
        [fact.organization_id for fact in facts],
        message_ids,
        [partition_of(fact.key) for fact in facts],
        [fact.key for fact in facts],
        [fact.type for fact in facts],
        [fact.version for fact in facts],
        [fact.data() for fact in facts],
        request_id.get(),
        traceparent(),
    )


def partition_of(key: UUID) -> int:
    """Return the partition of a key; it never changes."""
    return key.int % PARTITIONS
