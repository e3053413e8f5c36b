"""Closing a case of money: how a person put it right, with what it means for the ledger in the same transaction.

A case about a refund is about money that a buyer is owed, so it ends by what became of that: the provider did it after
all, the buyer has it otherwise, or it is not owed any more. The other kinds are about what only the provider's books
say, and enter nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.errors import invalid_field
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.cases.writes import record_ended_otherwise
from fullhouse.payments.ledger import Account, refund_ended_entry, refund_returned_entry
from fullhouse.payments.money_cases import MoneyCase, MoneyCaseNotFound, Resolution, case_of
from fullhouse.payments.news import RefundNews
from fullhouse.payments.queries import load_payment, load_refund, load_refunds
from fullhouse.payments.rules import Payment, PaymentNotFound, Refund, RefundNotFailed, RefundNotFound, RefundStatus
from fullhouse.payments.settle_refund import follow_success, settle_refund
from fullhouse.payments.writes import (
    EntryOf,
    forget_reference,
    insert_entry,
    lock_order_money,
    record_refund,
)

ABOUT_REFUNDS = frozenset({"refund_failed", "refund_missing"})
OF_REFUNDS: Sequence[Resolution] = ("put_right_at_provider", "paid_back_otherwise", "forfeited")
"""How a case about a refund may end."""
OF_OTHERS: Sequence[Resolution] = ("put_right_at_provider", "paid_back_otherwise", "none_of_ours", "written_off")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./:_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case ended, and what proves it: a refund's name at the provider, a transfer's or a paper's number."""

    resolution: Resolution
    reference: str | None = None


def check_ending(kind: str, ending: Ending) -> None:
    """Raise ``Invalid`` for an ending that a case of this kind cannot have, or that is not proved. Pure."""
    allowed = OF_REFUNDS if kind in ABOUT_REFUNDS else OF_OTHERS
    if ending.resolution not in allowed:
        raise invalid_field("resolution", f"A case of this kind ends as one of: {', '.join(allowed)}.")
    if ending.reference is not None and _REFERENCE.fullmatch(ending.reference) is None:
        raise invalid_field("reference", "Give a number or name of letters, digits and . / : _ - and no more than 64.")
    if ending.reference is None and kind in ABOUT_REFUNDS and ending.resolution != "forfeited":
        raise invalid_field("reference", "Say the refund's name at the provider, or the transfer's or paper's number.")


async def resolve_case(
    conn: Connection, make_id: MakeId, organization_id: UUID, case_id: UUID, ending: Ending
) -> MoneyCase:
    """Close a case that a person has dealt with, and enter in the ledger and in the audit log how.

    One that is closed stays as it is: repeating is safe. Raises ``MoneyCaseNotFound``, ``Invalid``, and
    ``RefundNotFailed`` while the refund that a case is about is on its way again.
    """
    known = await _load(conn, organization_id, case_id)
    if known.closed_at is not None:
        return known
    check_ending(known.kind, ending)
    if known.order_id is not None:
        await lock_order_money(conn, organization_id, known.order_id)
    row = await conn.fetchrow(
        """
        UPDATE money_cases SET closed_at = clock_timestamp(), resolution = $3, reference = $4
        WHERE organization_id = $1 AND case_id = $2 AND closed_at IS NULL RETURNING *
        """,
        organization_id,
        case_id,
        ending.resolution,
        ending.reference,
    )
    if row is None:
        return await _load(conn, organization_id, case_id)
    closed = case_of(row)
    if closed.kind in ABOUT_REFUNDS:
        await _end_refund(conn, make_id, closed, ending)
    details: dict[str, Json] = {"kind": closed.kind, "provider": closed.provider, "resolution": ending.resolution}
    await record(conn, organization_id, Act("money_case.resolve", "money_case", case_id, details))
    return closed


async def _load(conn: Connection, organization_id: UUID, case_id: UUID) -> MoneyCase:
    row = await conn.fetchrow(
        "SELECT * FROM money_cases WHERE organization_id = $1 AND case_id = $2", organization_id, case_id
    )
    if row is None:
        raise MoneyCaseNotFound
    return case_of(row)


async def _end_refund(conn: Connection, make_id: MakeId, case: MoneyCase, ending: Ending) -> None:
    """Let a refund end as the case about it did. The caller holds the order's money lock."""
    refund = await load_refund(conn, case.organization_id, UUID(case.subject))
    if refund is None:
        raise RefundNotFound
    order = await load_order(conn, refund.organization_id, refund.order_id)
    payment = await load_payment(conn, refund.organization_id, refund.payment_id)
    if order is None or payment is None:
        raise OrderNotFound if order is None else PaymentNotFound
    is_denied = case.kind == "refund_missing"
    if refund.status is not (RefundStatus.SUCCEEDED if is_denied else RefundStatus.FAILED):
        raise RefundNotFailed(refund_id=str(refund.refund_id), refund_status=refund.status.value)
    if ending.resolution == "put_right_at_provider":
        await _take_as_done(conn, make_id, refund, ending.reference or "")
    else:
        await _end_otherwise(conn, make_id, (order, payment, refund), ending)


async def _take_as_done(conn: Connection, make_id: MakeId, refund: Refund, reference: str) -> None:
    """Believe that the provider did a refund under a name; the comparison of days looks whether it is there."""
    others = await load_refunds(conn, refund.organization_id, refund.order_id)
    names = {name for one in others for name in (one.provider_reference, *one.past_references)}
    if reference == refund.provider_reference and refund.status is RefundStatus.SUCCEEDED:
        return
    if reference in names:
        raise invalid_field("reference", "Another refund has this name, or this one had it when it failed.")
    unnamed = await forget_reference(conn, refund)
    if unnamed.status is RefundStatus.SUCCEEDED:
        await record_refund(conn, unnamed, RefundStatus.SUCCEEDED, reference=reference)
        return
    news = RefundNews(reference, RefundStatus.SUCCEEDED, unnamed.amount_minor, unnamed.refund_id)
    await settle_refund(conn, make_id, unnamed.organization_id, unnamed.payment_id, news)


async def _end_otherwise(
    conn: Connection, make_id: MakeId, what: tuple[Order, Payment, Refund], ending: Ending
) -> None:
    """Enter that the buyer has the money from the organization, or that nobody is owed it; the provider has kept it."""
    order, payment, refund = what
    is_paid = ending.resolution == "paid_back_otherwise"
    of = EntryOf(payment.payment_id, refund.refund_id)
    if refund.status is RefundStatus.SUCCEEDED:
        await insert_entry(conn, make_id, order, refund_returned_entry(payment.provider, refund.amount_minor), of)
    status = RefundStatus.SUCCEEDED if is_paid else RefundStatus.FORFEITED
    ended = await record_ended_otherwise(conn, refund, status, ending.reference if is_paid else None)
    account = Account.PAID_OTHERWISE if is_paid else Account.FORFEITED
    await insert_entry(conn, make_id, order, refund_ended_entry(account, refund.amount_minor), of)
    await follow_success(conn, make_id, ended)
