"""The books of the simulated provider: what a real one would keep on its own machines. Only this folder reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge to enter. ``notify_seconds`` says when its notice is due; None: no notice is sent."""

    organization_id: UUID
    payment_id: UUID
    provider_key: str
    reference: str
    amount_minor: int
    currency: str
    outcome: str
    status: str
    notify_seconds: float | None


async def enter_charge(conn: Connection, new: NewCharge) -> Record:
    """Enter a charge, or return the one that has this key."""
    return (await enter_charges(conn, new.organization_id, [new]))[new.provider_key]


async def enter_charges(conn: Connection, organization_id: UUID, charges: Sequence[NewCharge]) -> dict[str, Record]:
    """Enter charges of an organization, or find those that have their keys. Returns them by key."""
    rows = await conn.fetch(
        """
        INSERT INTO simulated_charges (organization_id, reference, provider_key, payment_id, amount_minor, currency,
                                       outcome, status, notify_at)
        SELECT $1, c.reference, c.provider_key, c.payment_id, c.amount_minor, c.currency, c.outcome, c.status,
               clock_timestamp() + make_interval(secs => c.notify_seconds)
        FROM unnest($2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::float8[])
            AS c(reference, provider_key, payment_id, amount_minor, currency, outcome, status, notify_seconds)
        ORDER BY c.provider_key
        ON CONFLICT ON CONSTRAINT simulated_charges_key DO NOTHING RETURNING *
        """,
        organization_id,
        [new.reference for new in charges],
        [new.provider_key for new in charges],
        [new.payment_id for new in charges],
        [new.amount_minor for new in charges],
        [new.currency for new in charges],
        [new.outcome for new in charges],
        [new.status for new in charges],
        [new.notify_seconds for new in charges],
    )
    entered = {row["provider_key"]: row for row in rows}
    known = [new.provider_key for new in charges if new.provider_key not in entered]
    if known:
        rows = await conn.fetch(
            "SELECT * FROM simulated_charges WHERE organization_id = $1 AND provider_key = ANY ($2::text[])",
            organization_id,
            known,
        )
        entered |= {row["provider_key"]: row for row in rows}
    return entered


async def find_charge(conn: Connection, organization_id: UUID, provider_key: str) -> Record | None:
    """Find a charge by the key that it was started with."""
    return await conn.fetchrow(
        "SELECT * FROM simulated_charges WHERE organization_id = $1 AND provider_key = $2",
        organization_id,
        provider_key,
    )


async def cancel_charge(conn: Connection, organization_id: UUID, provider_key: str) -> Record | None:
    """Cancel a charge that is open; any other stays as it is. None: there is no such charge.

    The notice of one that is late stays due: its money is on its way, and comes though it was cancelled.
    """
    await conn.execute(
        """
        UPDATE simulated_charges SET status = 'cancelled'
        WHERE organization_id = $1 AND provider_key = $2 AND status = 'open'
        """,
        organization_id,
        provider_key,
    )
    return await find_charge(conn, organization_id, provider_key)


async def enter_refund(
    conn: Connection, organization_id: UUID, provider_key: str, charge_key: str, amount_minor: int, reference: str
) -> str | None:
    """Give money of a captured charge back, once for a key. Returns the reference; None where there is not so much."""
    charge = await conn.fetchrow(
        "SELECT * FROM simulated_charges WHERE organization_id = $1 AND provider_key = $2 FOR UPDATE",
        organization_id,
        charge_key,
    )
    known: str | None = await conn.fetchval(
        "SELECT reference FROM simulated_refunds WHERE organization_id = $1 AND provider_key = $2",
        organization_id,
        provider_key,
    )
    if known is not None or charge is None:
        return known
    if charge["status"] != "captured" or charge["amount_minor"] - charge["refunded_minor"] < amount_minor:
        return None
    await conn.execute(
        """
        UPDATE simulated_charges SET refunded_minor = refunded_minor + $3
        WHERE organization_id = $1 AND provider_key = $2
        """,
        organization_id,
        charge_key,
        amount_minor,
    )
    await conn.execute(
        """
        INSERT INTO simulated_refunds (organization_id, reference, provider_key, charge_reference, amount_minor)
        VALUES ($1, $2, $3, $4, $5)
        """,
        organization_id,
        reference,
        provider_key,
        charge["reference"],
        amount_minor,
    )
    return reference


async def due_charges(conn: Connection, count_max: int) -> list[Record]:
    """Take charges whose notice is due, and capture the late ones.

    Crosses organizations, as a provider's own machine does.
    """
    return await conn.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT * FROM simulated_charges
            WHERE notified_at IS NULL AND notify_at <= clock_timestamp()
            ORDER BY notify_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ), captured AS (
            UPDATE simulated_charges c SET status = 'captured' FROM due
            WHERE c.organization_id = due.organization_id AND c.reference = due.reference AND due.outcome = 'late'
        )
        SELECT organization_id, reference, provider_key, payment_id, amount_minor, currency,
               CASE WHEN outcome = 'late' THEN 'captured' ELSE status END AS status FROM due
        """,
        count_max,
    )


async def due_charges_of(conn: Connection, organization_id: UUID, provider_keys: Sequence[str]) -> list[Record]:
    """Take those of an organization that were started with some keys."""
    return await conn.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT * FROM simulated_charges
            WHERE organization_id = $1 AND provider_key = ANY ($2::text[])
              AND notified_at IS NULL AND notify_at <= clock_timestamp()
            FOR UPDATE SKIP LOCKED
        ), captured AS (
            UPDATE simulated_charges c SET status = 'captured' FROM due
            WHERE c.organization_id = $1 AND c.reference = due.reference AND due.outcome = 'late'
        )
        SELECT organization_id, reference, provider_key, payment_id, amount_minor, currency,
               CASE WHEN outcome = 'late' THEN 'captured' ELSE status END AS status FROM due
        """,
        organization_id,
        provider_keys,
    )


async def mark_notified(conn: Connection, organization_id: UUID, references: Sequence[str]) -> None:
    """Write down that the notices of charges were received; in one order, since two may have delivered the same."""
    await conn.execute(
        """
        WITH locked AS MATERIALIZED (
            SELECT reference FROM simulated_charges
            WHERE organization_id = $1 AND reference = ANY ($2::text[]) AND notified_at IS NULL
            ORDER BY reference FOR NO KEY UPDATE
        )
        UPDATE simulated_charges c SET notified_at = clock_timestamp() FROM locked
        WHERE c.organization_id = $1 AND c.reference = locked.reference
        """,
        organization_id,
        references,
    )


async def charges_between(conn: Connection, organization_id: UUID, since: datetime, until: datetime) -> list[Record]:
    """List the charges of a span of time that took money."""
    return await conn.fetch(
        """
        SELECT * FROM simulated_charges
        WHERE organization_id = $1 AND status = 'captured' AND created_at >= $2 AND created_at < $3
        ORDER BY created_at, reference
        """,
        organization_id,
        since,
        until,
    )


async def refunds_between(conn: Connection, organization_id: UUID, since: datetime, until: datetime) -> list[Record]:
    """List the refunds of a span of time, each with the payment of its charge."""
    return await conn.fetch(
        """
        SELECT r.*, c.payment_id FROM simulated_refunds r
        JOIN simulated_charges c ON c.organization_id = r.organization_id AND c.reference = r.charge_reference
        WHERE r.organization_id = $1 AND r.created_at >= $2 AND r.created_at < $3
        ORDER BY r.created_at, r.reference
        """,
        organization_id,
        since,
        until,
    )
