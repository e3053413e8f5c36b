"""The books of the simulated provider: what a real one would keep on its own machines. Only this folder reads them."""

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
    row = await conn.fetchrow(
        """
        INSERT INTO simulated_charges (organization_id, reference, provider_key, payment_id, amount_minor, currency,
                                       outcome, status, notify_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9))
        ON CONFLICT ON CONSTRAINT simulated_charges_key DO NOTHING RETURNING *
        """,
        new.organization_id,
        new.reference,
        new.provider_key,
        new.payment_id,
        new.amount_minor,
        new.currency,
        new.outcome,
        new.status,
        new.notify_seconds,
    )
    found = row or await find_charge(conn, new.organization_id, new.provider_key)
    assert found is not None  # noqa: S101 (it was entered just now, or earlier)
    return found


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


async def due_charges(conn: Connection, payment_id: UUID | None, count_max: int) -> list[Record]:
    """Take charges whose notice is due (all, or those of one payment), and capture the late ones.

    Crosses organizations, as a provider's own machine does.
    """
    return await conn.fetch(
        """
        UPDATE simulated_charges c
        SET status = CASE WHEN c.outcome = 'late' THEN 'captured' ELSE c.status END FROM (
            SELECT organization_id, reference FROM simulated_charges
            WHERE notified_at IS NULL AND notify_at <= clock_timestamp()
              AND ($1::uuid IS NULL OR payment_id = $1)
            ORDER BY notify_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ) due
        WHERE c.organization_id = due.organization_id AND c.reference = due.reference RETURNING c.*
        """,
        payment_id,
        count_max,
    )


async def mark_notified(conn: Connection, organization_id: UUID, reference: str) -> None:
    """Write down that the notice of a charge was received."""
    await conn.execute(
        """
        UPDATE simulated_charges SET notified_at = clock_timestamp()
        WHERE organization_id = $1 AND reference = $2 AND notified_at IS NULL
        """,
        organization_id,
        reference,
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
