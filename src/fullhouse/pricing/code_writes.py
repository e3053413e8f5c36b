"""Writing codes and their uses. A code is locked after the stock and the order, so that nobody waits in a circle."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.pricing.code_queries import code_of
from fullhouse.pricing.codes import Code, CodeTerms


async def lock_code(conn: Connection, organization_id: UUID, code_id: UUID) -> Code | None:
    """Lock a code until the transaction ends, and load it as it is then."""
    row = await conn.fetchrow(
        "SELECT * FROM codes WHERE organization_id = $1 AND code_id = $2 FOR UPDATE", organization_id, code_id
    )
    return code_of(row) if row else None


async def put_code(conn: Connection, organization_id: UUID, code_id: UUID, terms: CodeTerms) -> None:
    """Write a code, new or changed. ``codes_code`` refuses the letters of another."""
    await conn.execute(
        """
        INSERT INTO codes (organization_id, code_id, code, note, event_id, session_ids, ticket_type_ids, rate,
                           amount_minor, per, currency, uses_max, per_buyer_max, valid_from, valid_until, enabled)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (organization_id, code_id) DO UPDATE SET
            (code, note, event_id, session_ids, ticket_type_ids, rate, amount_minor, per, currency, uses_max,
             per_buyer_max, valid_from, valid_until, enabled, updated_at)
            = ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, clock_timestamp())
        """,
        organization_id,
        code_id,
        terms.code,
        terms.note,
        terms.event_id,
        sorted(terms.session_ids),
        sorted(terms.ticket_type_ids),
        terms.rate,
        terms.amount_minor,
        terms.per.value,
        terms.currency,
        terms.uses_max,
        terms.per_buyer_max,
        terms.valid_from,
        terms.valid_until,
        terms.enabled,
    )


async def insert_use(conn: Connection, organization_id: UUID, code_id: UUID, order_id: UUID) -> None:
    """Count the use of a code by an order. The caller has locked the code, and found that one is left."""
    await conn.execute(
        """
        WITH used AS (
            INSERT INTO code_uses (organization_id, order_id, code_id) VALUES ($1, $3, $2)
        )
        UPDATE codes SET use_count = use_count + 1 WHERE organization_id = $1 AND code_id = $2
        """,
        organization_id,
        code_id,
        order_id,
    )


async def return_uses(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Give back what orders used of codes, each once. Codes are locked in order of their ids."""
    await conn.execute(
        """
        WITH locked AS MATERIALIZED (
            SELECT code_id FROM codes WHERE organization_id = $1 AND code_id IN (
                SELECT code_id FROM code_uses
                WHERE organization_id = $1 AND order_id = ANY ($2::uuid[]) AND returned_at IS NULL)
            ORDER BY code_id FOR UPDATE
        ), returned AS (
            UPDATE code_uses u SET returned_at = clock_timestamp() FROM locked
            WHERE u.organization_id = $1 AND u.order_id = ANY ($2::uuid[]) AND u.code_id = locked.code_id
              AND u.returned_at IS NULL
            RETURNING u.code_id
        )
        UPDATE codes c SET use_count = use_count - r.count
        FROM (SELECT code_id, count(*) AS count FROM returned GROUP BY code_id) r
        WHERE c.organization_id = $1 AND c.code_id = r.code_id
        """,
        organization_id,
        order_ids,
    )


async def use_again(conn: Connection, organization_id: UUID, order_id: UUID) -> None:
    """Count a use that was given back: money came late, and the order is honoured, however often the code is used."""
    await conn.execute(
        """
        WITH used AS (
            UPDATE code_uses SET returned_at = NULL
            WHERE organization_id = $1 AND order_id = $2 AND returned_at IS NOT NULL RETURNING code_id
        )
        UPDATE codes c SET use_count = use_count + 1 FROM used
        WHERE c.organization_id = $1 AND c.code_id = used.code_id
        """,
        organization_id,
        order_id,
    )
