"""Reading payments, refunds, notices and the ledger, without locks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.payments.ledger import SOLD, Account
from fullhouse.payments.news import Dispute, DisputeStatus
from fullhouse.payments.refundable import Refundable
from fullhouse.payments.rules import (
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)


async def load_payment(conn: Connection, organization_id: UUID, payment_id: UUID) -> Payment | None:
    """Load a payment, or None where the organization has no such payment."""
    row = await conn.fetchrow(
        "SELECT * FROM payments WHERE organization_id = $1 AND payment_id = $2", organization_id, payment_id
    )
    return payment_of(row) if row else None


async def load_named_payments(
    conn: Connection, organization_id: UUID, payment_ids: Sequence[UUID]
) -> dict[UUID, Payment]:
    """Load payments of an organization by their ids."""
    rows = await conn.fetch(
        "SELECT * FROM payments WHERE organization_id = $1 AND payment_id = ANY ($2::uuid[])",
        organization_id,
        payment_ids,
    )
    return {row["payment_id"]: payment_of(row) for row in rows}


async def load_payments(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[Payment, ...]:
    """Load the payments of an order by attempt."""
    return (await load_payments_of_orders(conn, organization_id, [order_id]))[order_id]


async def load_payments_of_orders(
    conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]
) -> defaultdict[UUID, tuple[Payment, ...]]:
    """Load the same of several orders; of one that has none it is empty."""
    rows = await conn.fetch(
        "SELECT * FROM payments WHERE organization_id = $1 AND order_id = ANY ($2::uuid[]) ORDER BY order_id, attempt",
        organization_id,
        order_ids,
    )
    found = groupby(payments_of(rows), key=lambda payment: payment.order_id)
    return defaultdict(tuple, {order_id: tuple(some) for order_id, some in found})


async def load_refunds(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[Refund, ...]:
    """Load the refunds of an order, oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM refunds WHERE organization_id = $1 AND order_id = $2 ORDER BY refund_id",
        organization_id,
        order_id,
    )
    return tuple(refund_of(row) for row in rows)


async def load_refund(conn: Connection, organization_id: UUID, refund_id: UUID) -> Refund | None:
    """Load a refund."""
    row = await conn.fetchrow(
        "SELECT * FROM refunds WHERE organization_id = $1 AND refund_id = $2", organization_id, refund_id
    )
    return refund_of(row) if row else None


async def load_refundable(conn: Connection, organization_id: UUID, order_id: UUID) -> list[Refundable]:
    """List what is left to give back of each payment of an order, the newest attempt first.

    What stands in a dispute is not: the provider has it until that is decided, and then either of them.
    """
    rows = await conn.fetch(
        """
        SELECT payment_id, greatest(0, left_minor - disputed_minor) AS left_minor,
               least(greatest(0, left_minor), disputed_minor) AS disputed_minor
        FROM (
            SELECT payment_id, attempt, captured_minor - coalesce((
                SELECT sum(r.amount_minor)::bigint FROM refunds r
                WHERE r.organization_id = $1 AND r.payment_id = p.payment_id), 0) AS left_minor,
                coalesce((
                SELECT sum(d.withdrawn_minor)::bigint FROM disputes d
                WHERE d.organization_id = $1 AND d.payment_id = p.payment_id AND d.status <> 'won'), 0)
                AS disputed_minor
            FROM payments p WHERE organization_id = $1 AND order_id = $2 AND captured_minor > 0
        ) AS payments_left
        ORDER BY attempt DESC
        """,
        organization_id,
        order_id,
    )
    return [Refundable(row["payment_id"], row["left_minor"], row["disputed_minor"]) for row in rows]


async def load_balance(conn: Connection, organization_id: UUID, order_id: UUID, account: Account) -> int:
    """Return what is on one account for one order: what belongs to others is negative, as in the ledger."""
    balance: int = await conn.fetchval(
        """
        SELECT coalesce(sum(amount_minor), 0)::bigint FROM ledger_entries
        WHERE organization_id = $1 AND order_id = $2 AND account = $3
        """,
        organization_id,
        order_id,
        account.value,
    )
    return balance


async def load_balances(
    conn: Connection, organization_id: UUID, order_ids: Sequence[UUID], account: Account
) -> dict[UUID, int]:
    """Return the same for several orders; one that has no entry there is left out."""
    rows = await conn.fetch(
        """
        SELECT order_id, sum(amount_minor)::bigint AS balance FROM ledger_entries
        WHERE organization_id = $1 AND order_id = ANY ($2::uuid[]) AND account = $3 GROUP BY order_id
        """,
        organization_id,
        order_ids,
        account.value,
    )
    return {row["order_id"]: row["balance"] for row in rows}


async def load_sold(conn: Connection, organization_id: UUID, order_id: UUID) -> dict[Account, int]:
    """Return what stands on the accounts of an order's sale: below zero in sum, as far as it was not given back."""
    rows = await conn.fetch(
        """
        SELECT account, sum(amount_minor)::bigint AS amount_minor FROM ledger_entries
        WHERE organization_id = $1 AND order_id = $2 AND account = ANY ($3) GROUP BY account ORDER BY account
        """,
        organization_id,
        order_id,
        [account.value for account in SOLD],
    )
    return {Account(row["account"]): row["amount_minor"] for row in rows}


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A notice as it is kept. ``payment_id`` is None while it is not known whose money it names."""

    payment_id: UUID | None
    provider: str
    body: Mapping[str, Any]


async def load_notices(conn: Connection, organization_id: UUID, notice_ids: Sequence[UUID]) -> dict[UUID, StoredNotice]:
    """Load stored notices by their ids."""
    rows = await conn.fetch(
        """
        SELECT notice_id, payment_id, provider, body FROM payment_notices
        WHERE organization_id = $1 AND notice_id = ANY ($2::uuid[])
        """,
        organization_id,
        notice_ids,
    )
    return {row["notice_id"]: StoredNotice(row["payment_id"], row["provider"], row["body"]) for row in rows}


async def find_payment_of_capture(
    conn: Connection, organization_id: UUID, provider: str, capture_reference: str
) -> Payment | None:
    """Find the payment whose money a provider calls by this name."""
    row = await conn.fetchrow(
        "SELECT * FROM payments WHERE organization_id = $1 AND provider = $2 AND capture_reference = $3",
        organization_id,
        provider,
        capture_reference,
    )
    return payment_of(row) if row else None


async def load_disputes(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[Dispute, ...]:
    """Load the disputes of an order, oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM disputes WHERE organization_id = $1 AND order_id = $2 ORDER BY dispute_id",
        organization_id,
        order_id,
    )
    return tuple(dispute_of(row) for row in rows)


def payment_of(row: Record) -> Payment:
    """Build a payment from its row."""
    return Payment(
        organization_id=row["organization_id"],
        payment_id=row["payment_id"],
        order_id=row["order_id"],
        attempt=row["attempt"],
        provider=row["provider"],
        status=PaymentStatus(row["status"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        provider_key=row["provider_key"],
        provider_reference=row["provider_reference"],
        request=row["request"],
        next_step=row["next_step"],
        reason=row["reason"],
        captured_minor=row["captured_minor"],
        capture_reference=row["capture_reference"],
        started_at=row["started_at"],
        deadline_at=row["deadline_at"],
        ended_at=row["ended_at"],
    )


def refund_of(row: Record) -> Refund:
    """Build a refund from its row."""
    return Refund(
        organization_id=row["organization_id"],
        refund_id=row["refund_id"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        status=RefundStatus(row["status"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        reason=row["reason"],
        provider_key=row["provider_key"],
        provider_reference=row["provider_reference"],
        past_references=tuple(row["past_references"]),
        attempts=row["attempts"],
        last_error=row["last_error"],
        otherwise_reference=row["otherwise_reference"],
    )


def dispute_of(row: Record) -> Dispute:
    """Build a dispute from its row."""
    return Dispute(
        organization_id=row["organization_id"],
        dispute_id=row["dispute_id"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        provider_reference=row["provider_reference"],
        status=DisputeStatus(row["status"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        withdrawn_minor=row["withdrawn_minor"],
        reason=row["reason"],
    )


def payments_of(rows: Sequence[Record]) -> list[Payment]:
    """Build payments from their rows."""
    return [payment_of(row) for row in rows]
