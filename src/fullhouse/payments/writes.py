"""Writing payments, refunds, notices and the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.postgres import Connection
from fullhouse.orders.rules import Order
from fullhouse.payments.ledger import Entry
from fullhouse.payments.news import Dispute
from fullhouse.payments.queries import payment_of, payments_of, refund_of
from fullhouse.payments.rules import Charge, Payment, Refund, RefundStatus, Settlement


async def lock_order_money(conn: Connection, organization_id: UUID, *order_ids: UUID) -> None:
    """Let one transaction at a time decide about the money of an order; of several, in order of their ids.

    Whoever starts, settles, cancels or refunds takes this lock first of all, before stock; it guards no row, so it
    stands outside the order of row locks, and what was read of an order's payments stays true until the commit.
    """
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('payments of ' || $1 || '/' || order_id, 0))
        FROM unnest($2::text[]) AS o(order_id)
        """,
        str(organization_id),
        sorted(map(str, order_ids)),
    )


@dataclass(frozen=True, slots=True)
class NewPayment:
    """The row of an attempt to begin."""

    payment_id: UUID
    attempt: int
    provider: str
    request: Mapping[str, Json]
    deadline_at: datetime
    provider_key: str | None = None
    """Where it is not the one of an order's attempt to pay."""


async def insert_payment(conn: Connection, order: Order, new: NewPayment) -> Payment:
    """Write an attempt, with the key that the provider will be called with."""
    return (await insert_payments(conn, order.organization_id, [(order, new)]))[new.payment_id]


async def insert_payments(
    conn: Connection, organization_id: UUID, attempts: Sequence[tuple[Order, NewPayment]]
) -> dict[UUID, Payment]:
    """Write attempts of several orders of an organization. Returns them by their ids."""
    rows = await conn.fetch(
        """
        INSERT INTO payments (organization_id, payment_id, order_id, attempt, provider, amount_minor, currency,
                              provider_key, request, deadline_at)
        SELECT $1, p.* FROM unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::text[], $6::bigint[], $7::text[],
                                   $8::text[], $9::jsonb[], $10::timestamptz[]) AS p
        RETURNING *
        """,
        organization_id,
        [new.payment_id for _, new in attempts],
        [order.order_id for order, _ in attempts],
        [new.attempt for _, new in attempts],
        [new.provider for _, new in attempts],
        [order.total_minor for order, _ in attempts],
        [order.currency for order, _ in attempts],
        [new.provider_key or f"{order.order_id}:{new.attempt}:payment" for order, new in attempts],
        [new.request for _, new in attempts],
        [new.deadline_at for _, new in attempts],
    )
    return {row["payment_id"]: payment_of(row) for row in rows}


class Settled(NamedTuple):
    """A payment as it stood, what a provider's word made of it, and the word."""

    payment: Payment
    settlement: Settlement
    charge: Charge


async def record_settlement(conn: Connection, payment: Payment, settlement: Settlement, charge: Charge) -> Payment:
    """Write what a provider's word made of a payment. The caller holds the order's money lock."""
    (row,) = await record_settlements(conn, payment.organization_id, [Settled(payment, settlement, charge)])
    return row


async def record_settlements(conn: Connection, organization_id: UUID, settled: Sequence[Settled]) -> list[Payment]:
    """Write the same of several payments of an organization. The caller holds the money locks of their orders.

    They are locked in order of their ids, since answers to calls are written down without the money locks.
    """
    rows = await conn.fetch(
        """
        WITH locked AS MATERIALIZED (
            SELECT payment_id FROM payments WHERE organization_id = $1 AND payment_id = ANY ($2::uuid[])
            ORDER BY payment_id FOR NO KEY UPDATE
        )
        UPDATE payments p SET status = s.status, captured_minor = s.captured_minor,
            next_step = CASE WHEN s.status = 'started' THEN p.next_step END,
            reason = CASE WHEN s.status <> 'succeeded' THEN coalesce(s.reason, p.reason) END,
            provider_reference = coalesce(p.provider_reference, s.reference),
            capture_reference = coalesce(p.capture_reference, s.capture_reference),
            ended_at = coalesce(p.ended_at, clock_timestamp())
        FROM locked JOIN unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
            AS s(payment_id, status, captured_minor, reason, reference, capture_reference) USING (payment_id)
        WHERE p.organization_id = $1 AND p.payment_id = locked.payment_id RETURNING p.*
        """,
        organization_id,
        [one.payment.payment_id for one in settled],
        [one.settlement.status.value for one in settled],
        [one.settlement.captured_minor for one in settled],
        [one.charge.reason for one in settled],
        [one.charge.reference for one in settled],
        [one.charge.capture_reference for one in settled],
    )
    return payments_of(rows)


async def record_reason(conn: Connection, payment: Payment, charge: Charge) -> Payment:
    """Write why the last try of an attempt was declined that is still open."""
    row = await conn.fetchrow(
        """
        UPDATE payments SET reason = $3
        WHERE organization_id = $1 AND payment_id = $2 AND status = 'started' RETURNING *
        """,
        payment.organization_id,
        payment.payment_id,
        charge.reason,
    )
    return payment_of(row) if row else payment


async def mark_cancel_requested(conn: Connection, organization_id: UUID, payment_id: UUID) -> None:
    """Write down that the provider is about to be asked to cancel."""
    await conn.execute(
        """
        UPDATE payments SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
        WHERE organization_id = $1 AND payment_id = $2 AND status = 'started'
        """,
        organization_id,
        payment_id,
    )


async def claim_unended(conn: Connection, ask_after_seconds: float, count_max: int) -> list[tuple[Payment, bool]]:
    """Claim open attempts to ask the provider about: past their deadline (True), or not heard of for a while.

    Each is claimed once in ``ask_after_seconds``, also where several processes claim. Crosses organizations: it
    only names what to ask about.
    """
    rows = await conn.fetch(
        """
        UPDATE payments p SET asked_at = clock_timestamp() FROM (
            SELECT organization_id, payment_id FROM payments
            WHERE status = 'started'
              AND (asked_at IS NULL OR asked_at <= clock_timestamp() - make_interval(secs => $1))
              AND (deadline_at <= clock_timestamp() OR started_at <= clock_timestamp() - make_interval(secs => $1))
            ORDER BY deadline_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ) due
        WHERE p.organization_id = due.organization_id AND p.payment_id = due.payment_id
        RETURNING p.*, p.deadline_at <= clock_timestamp() AS is_over
        """,
        ask_after_seconds,
        count_max,
    )
    return list(zip(payments_of(rows), [row["is_over"] for row in rows], strict=True))


@dataclass(frozen=True, slots=True)
class NewRefund:
    """The row of a refund to request."""

    refund_id: UUID
    payment_id: UUID
    amount_minor: int
    reason: str


async def insert_refund(conn: Connection, order: Order, new: NewRefund) -> Refund:
    """Write a refund, with the key that the provider will be called with."""
    row = await conn.fetchrow(
        """
        INSERT INTO refunds (organization_id, refund_id, order_id, payment_id, amount_minor, currency, reason,
                             provider_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
        """,
        order.organization_id,
        new.refund_id,
        order.order_id,
        new.payment_id,
        new.amount_minor,
        order.currency,
        new.reason,
        f"{order.order_id}:{new.refund_id}:refund",
    )
    assert row is not None  # noqa: S101 (an INSERT that returns gives a row or raises)
    return refund_of(row)


async def claim_refunds(conn: Connection, lease_seconds: float, count_max: int) -> list[Refund]:
    """Claim refunds to send: nobody else gets them until the lease ends. Crosses organizations, as the worker does.

    Organizations take turns, so that one that gives back a whole session does not keep the others waiting.
    """
    rows = await conn.fetch(
        """
        UPDATE refunds r SET attempts = least(r.attempts + 1, 30000),
            retry_at = clock_timestamp() + make_interval(secs => $1)
        FROM (
            SELECT organization_id, refund_id FROM refunds JOIN (
                SELECT organization_id, refund_id, row_number() OVER (
                    PARTITION BY organization_id ORDER BY requested_at, refund_id) AS turn
                FROM refunds WHERE status = 'requested' AND (retry_at IS NULL OR retry_at <= clock_timestamp())
            ) AS turns USING (organization_id, refund_id)
            WHERE status = 'requested' AND (retry_at IS NULL OR retry_at <= clock_timestamp())
            ORDER BY turn, requested_at LIMIT $2 FOR UPDATE OF refunds SKIP LOCKED
        ) due
        WHERE r.organization_id = due.organization_id AND r.refund_id = due.refund_id RETURNING r.*
        """,
        lease_seconds,
        count_max,
    )
    return [refund_of(row) for row in rows]


async def reserve_call(conn: Connection, organization_id: UUID, provider: str, per_second: float) -> float:
    """Take the next place of an organization's calls to a provider, and return in how many seconds it comes.

    A bucket of tokens that holds those of one second: whoever takes none for a while may take as many at once.
    """
    wait: float = await conn.fetchval(
        """
        INSERT INTO provider_budgets AS b (organization_id, provider, next_at)
        VALUES ($1, $2, clock_timestamp() - interval '1 second' + make_interval(secs => 1 / $3::float8))
        ON CONFLICT (organization_id, provider) DO UPDATE
            SET next_at = greatest(b.next_at, clock_timestamp() - interval '1 second')
                          + make_interval(secs => 1 / $3::float8)
        RETURNING greatest(0, extract(epoch FROM next_at - clock_timestamp()))::float8
        """,
        organization_id,
        provider,
        per_second,
    )
    return wait


async def postpone_refund(conn: Connection, refund: Refund, seconds: int, error: str) -> None:
    """Try a refund again after so many seconds."""
    await conn.execute(
        """
        UPDATE refunds SET retry_at = clock_timestamp() + make_interval(secs => $3), last_error = $4
        WHERE organization_id = $1 AND refund_id = $2 AND status = 'requested'
        """,
        refund.organization_id,
        refund.refund_id,
        seconds,
        error[:500],
    )


async def record_refund(
    conn: Connection, refund: Refund, status: RefundStatus, *, reference: str | None = None, error: str | None = None
) -> Refund:
    """Write how a refund stands. The caller holds the order's money lock and has loaded the refund under it."""
    row = await conn.fetchrow(
        """
        UPDATE refunds SET status = $3, provider_reference = coalesce(provider_reference, $4), last_error = $5,
            ended_at = CASE WHEN $3 <> 'requested' THEN clock_timestamp() END,
            retry_at = CASE WHEN $3 = 'requested' THEN retry_at END
        WHERE organization_id = $1 AND refund_id = $2 RETURNING *
        """,
        refund.organization_id,
        refund.refund_id,
        status.value,
        reference,
        error[:500] if error else None,
    )
    assert row is not None  # noqa: S101 (refunds are never deleted)
    return refund_of(row)


async def record_refund_by_dispute(conn: Connection, refund: Refund, dispute: Dispute) -> Refund:
    """Write that a buyer has the money of a refund by a dispute, whose name at the provider it then has.

    A dispute may have paid several.
    """
    row = await conn.fetchrow(
        """
        UPDATE refunds SET status = 'succeeded', retry_at = NULL, ended_at = clock_timestamp(), last_error = NULL,
            past_references = past_references || array_remove(ARRAY[provider_reference], NULL),
            provider_reference = $3, dispute_id = $4
        WHERE organization_id = $1 AND refund_id = $2 RETURNING *
        """,
        refund.organization_id,
        refund.refund_id,
        dispute.provider_reference,
        dispute.dispute_id,
    )
    assert row is not None  # noqa: S101 (refunds are never deleted)
    return refund_of(row)


async def forget_reference(conn: Connection, refund: Refund) -> Refund:
    """Keep what the provider called a refund as a name of before: it is done under another."""
    row = await conn.fetchrow(
        """
        UPDATE refunds SET past_references = past_references || array_remove(ARRAY[provider_reference], NULL),
            provider_reference = NULL
        WHERE organization_id = $1 AND refund_id = $2 RETURNING *
        """,
        refund.organization_id,
        refund.refund_id,
    )
    assert row is not None  # noqa: S101 (refunds are never deleted)
    return refund_of(row)


async def reopen_refund(conn: Connection, organization_id: UUID, refund_id: UUID) -> Refund | None:
    """Request a failed refund again, under a new key. None where it has not failed.

    The old key would only repeat the old refusal; what failed for good took no money, so it is no second refund.
    """
    row = await conn.fetchrow(
        """
        UPDATE refunds SET status = 'requested', retry_at = NULL, ended_at = NULL, last_error = NULL,
            provider_reference = NULL,
            past_references = past_references || array_remove(ARRAY[provider_reference], NULL),
            provider_key = order_id || ':' || refund_id || ':refund:' || attempts + 1
        WHERE organization_id = $1 AND refund_id = $2 AND status = 'failed' RETURNING *
        """,
        organization_id,
        refund_id,
    )
    return refund_of(row) if row else None


@dataclass(frozen=True, slots=True)
class EntryOf:
    """What an entry of the ledger records, beside the order."""

    payment_id: UUID | None = None
    refund_id: UUID | None = None
    dispute_id: UUID | None = None


NOTHING = EntryOf()


async def insert_entry(
    conn: Connection,
    make_id: MakeId,
    order: Order,
    entry: Entry,
    of: EntryOf = NOTHING,
) -> None:
    """Enter a balanced entry in the ledger, in the transaction of what it records."""
    await insert_entries(conn, make_id, order.organization_id, [(order, entry, of)])


async def insert_entries(
    conn: Connection, make_id: MakeId, organization_id: UUID, entries: Sequence[tuple[Order, Entry, EntryOf]]
) -> None:
    """Enter balanced entries of several orders in the ledger, in the transaction of what they record."""
    rows: list[tuple[Any, ...]] = []
    for order, entry, of in entries:
        assert sum(amount for _, amount in entry) == 0  # noqa: S101 (rules make them balanced; this would be a bug)
        entry_id = make_id()
        about = (order.currency, order.order_id, of.payment_id, of.refund_id)
        where = (order.event_id, order.session_id, of.dispute_id)
        rows += [
            (entry_id, number, str(account), amount, *about, *where)
            for number, (account, amount) in enumerate(entry, start=1)
        ]
    await conn.execute(
        """
        INSERT INTO ledger_entries (organization_id, entry_id, line, account, amount_minor, currency, order_id,
                                    payment_id, refund_id, event_id, session_id, dispute_id)
        SELECT $1, l.* FROM unnest($2::uuid[], $3::smallint[], $4::text[], $5::bigint[], $6::text[], $7::uuid[],
                                   $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[]) AS l
        """,
        organization_id,
        *([list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 11),
    )
