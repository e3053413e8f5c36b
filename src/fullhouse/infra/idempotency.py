"""Idempotency keys: one key, one effect, and the first answer for every repeat.

The row is written in the transaction of the effect. What is kept is the answer without its secrets: they are
derived from ids, so a replay makes them again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from fullhouse.core.errors import Conflict, Invalid
from fullhouse.core.json import Json
from fullhouse.infra.postgres import Connection


class IdempotencyInFlight(Conflict):
    """The first request with this key has not ended yet."""

    code = "idempotency_in_flight"
    title = "The first request with this Idempotency-Key has not ended yet; try again."


class IdempotencyKeyReused(Invalid):
    """The key was used with another body."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another body."


class Claim(NamedTuple):
    """A key that a request brought, where it is unique, and what the request was."""

    organization_id: UUID
    scope: str
    """The operation and the thing it is about, such as ``orders`` or ``payments:<order id>``."""
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """The first answer."""

    status: int
    answer: Any
    fingerprint: bytes = b""


def fingerprint(body: Json) -> bytes:
    """Reduce a request's body to 32 bytes that are equal for equal JSON values."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


async def begin(conn: Connection, claim: Claim) -> Kept | None:
    """Take the key for this transaction. Return the first answer if there is one, else None: go on, then ``keep``.

    Raises ``IdempotencyInFlight`` while another transaction has the key, and ``IdempotencyKeyReused`` where the
    body differs.
    """
    taken = await conn.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(31) || $2 || chr(31) || $3, 0))",
        str(claim.organization_id),
        claim.scope,
        claim.key,
    )
    if not taken:
        raise IdempotencyInFlight
    row = await conn.fetchrow(
        """
        SELECT fingerprint, status, answer FROM idempotency_keys
        WHERE organization_id = $1 AND scope = $2 AND key = $3
        """,
        claim.organization_id,
        claim.scope,
        claim.key,
    )
    if row is None:
        return None
    if row["fingerprint"] != claim.fingerprint:
        raise IdempotencyKeyReused
    return Kept(row["status"], row["answer"], row["fingerprint"])


async def begin_many(
    conn: Connection, claims: Sequence[Claim]
) -> list[Kept | IdempotencyInFlight | IdempotencyKeyReused | None]:
    """Take several keys for this transaction; return for each what ``begin`` returns or raises.

    Equal keys of one transaction do not wait for each other: the caller knows what it does for the first.
    """
    if not claims:
        return []
    texts = [f"{claim.organization_id}\x1f{claim.scope}\x1f{claim.key}" for claim in claims]
    # In a statement of its own: what the other transaction kept is seen by those that begin after the lock.
    taken = await conn.fetch(
        """
        SELECT pg_try_advisory_xact_lock(hashtextextended(asked.claim, 0)) AS taken
        FROM unnest($1::text[]) WITH ORDINALITY AS asked(claim, ordinal) ORDER BY asked.ordinal
        """,
        texts,
    )
    rows = await conn.fetch(
        """
        SELECT asked.ordinal, k.fingerprint, k.status, k.answer
        FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS asked(organization_id, scope, key, ordinal)
        CROSS JOIN LATERAL (
            SELECT fingerprint, status, answer FROM idempotency_keys
            WHERE organization_id = asked.organization_id AND scope = asked.scope AND key = asked.key
        ) k
        """,
        [claim.organization_id for claim in claims],
        [claim.scope for claim in claims],
        [claim.key for claim in claims],
    )
    kept = {row["ordinal"]: Kept(row["status"], row["answer"], row["fingerprint"]) for row in rows}
    return [
        _begun(claim, kept.get(ordinal)) if one["taken"] else IdempotencyInFlight()
        for ordinal, (claim, one) in enumerate(zip(claims, taken, strict=True), start=1)
    ]


def _begun(claim: Claim, kept: Kept | None) -> Kept | IdempotencyKeyReused | None:
    return IdempotencyKeyReused() if kept is not None and kept.fingerprint != claim.fingerprint else kept


async def keep(conn: Connection, claim: Claim, status: int, answer: Json) -> None:
    """Keep the answer, in the transaction of its effect."""
    await conn.execute(
        """
        INSERT INTO idempotency_keys (organization_id, scope, key, fingerprint, status, answer)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        claim.organization_id,
        claim.scope,
        claim.key,
        claim.fingerprint,
        status,
        answer,
    )


async def find_many(conn: Connection, organization_id: UUID, scope: str, keys: Sequence[str]) -> dict[str, Kept]:
    """Find the first answers to several keys of one scope, for a batch that holds a lock of its own on the scope."""
    if not keys:
        return {}
    rows = await conn.fetch(
        """
        -- The array keeps the plan on these keys of the primary key, whatever the planner believes of the table.
        SELECT key, fingerprint, status, answer FROM idempotency_keys
        WHERE organization_id = $1 AND scope = $2 AND key = ANY ($3::text[])
        """,
        organization_id,
        scope,
        keys,
    )
    return {row["key"]: Kept(row["status"], row["answer"], row["fingerprint"]) for row in rows}


async def find_each(
    conn: Connection, organization_id: UUID, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Kept]:
    """Find the same to keys of several scopes, each given with its scope."""
    if not keys:
        return {}
    rows = await conn.fetch(
        """
        SELECT k.scope, k.key, k.fingerprint, k.status, k.answer
        FROM unnest($2::text[], $3::text[]) AS asked(scope, key)
        CROSS JOIN LATERAL (
            SELECT scope, key, fingerprint, status, answer FROM idempotency_keys
            -- One at most; the limit has each looked up by itself, whatever the planner believes of the table.
            WHERE organization_id = $1 AND scope = asked.scope AND key = asked.key LIMIT 1
        ) k
        """,
        organization_id,
        [scope for scope, _ in keys],
        [key for _, key in keys],
    )
    return {(row["scope"], row["key"]): Kept(row["status"], row["answer"], row["fingerprint"]) for row in rows}


async def keep_many(conn: Connection, answers: Sequence[tuple[Claim, int, Json]]) -> None:
    """Keep the answers of a batch, in the transaction of their effects."""
    if not answers:
        return
    await conn.execute(
        """
        INSERT INTO idempotency_keys (organization_id, scope, key, fingerprint, status, answer)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::smallint[], $6::jsonb[])
        """,
        *_columns(answers),
    )


def _columns(answers: Sequence[tuple[Claim, int, Json]]) -> Sequence[Sequence[object]]:
    return (
        [claim.organization_id for claim, _, _ in answers],
        [claim.scope for claim, _, _ in answers],
        [claim.key for claim, _, _ in answers],
        [claim.fingerprint for claim, _, _ in answers],
        [status for _, status, _ in answers],
        [answer for _, _, answer in answers],
    )


async def forget_answers(conn: Connection, organization_id: UUID, operation: str, ids: Sequence[UUID]) -> None:
    """Delete the kept answers of an operation that made these things: a repeat is then a request of its own."""
    await conn.execute(
        """
        DELETE FROM idempotency_keys
        WHERE organization_id = $1 AND scope LIKE $2 || ':%' AND answer ->> 'id' = ANY ($3)
        """,
        organization_id,
        operation,
        [str(one) for one in ids],
    )
