"""Issuing receipts and credit notes: the reactions to ``order.paid`` and ``refund.succeeded``.

A worker numbers them, so that no buyer waits for the number of another. The row is the number: what is rolled back, by
whatever ends a worker, leaves no gap, and two workers of one organization wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events.queries import load_event_names
from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import quotes_of
from fullhouse.orders.queries import load_lines, load_lines_of_orders, load_order, load_orders
from fullhouse.orders.rules import Order, OrderLine
from fullhouse.organizations.queries import load_organization
from fullhouse.payments.queries import load_refund
from fullhouse.payments.rules import Refund, RefundStatus
from fullhouse.payments.settle_together import Bought
from fullhouse.pricing.tax_rows import TaxRow, tax_rows
from fullhouse.receipts.queries import is_out_of_sale, load_given_back, load_receipts, load_receipts_of_orders
from fullhouse.receipts.rules import Receipt, ReceiptLine
from fullhouse.receipts.taxes_given_back import GivenBack, taxes_given_back, taxes_left
from fullhouse.receipts.writes import insert_receipts, lock_numbers


async def issue_receipt(conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID) -> Receipt | None:
    """Issue the receipt of a paid order, once: repeating returns it. None where nothing was to be paid."""
    issued = await issue_receipts(conn, make_id, organization_id, [order_id])
    return issued[0] if issued else None


async def issue_receipts(
    conn: Connection, make_id: MakeId, organization_id: UUID, order_ids: Sequence[UUID]
) -> list[Receipt]:
    """Issue the receipts of orders, in a constant number of statements; what was free has none."""
    orders = await load_orders(conn, organization_id, order_ids)
    paid = [order for order in orders.values() if order.paid_at is not None and order.total_minor]
    if not paid:
        return []
    sold = await load_lines_of_orders(conn, organization_id, [order.order_id for order in paid])
    return await _issue(conn, make_id, organization_id, [_bought(order, sold[order.order_id]) for order in paid])


async def issue_receipts_of_bought(
    conn: Connection, make_id: MakeId, organization_id: UUID, bought: Sequence[Bought]
) -> None:
    """Do the same in the transaction in which the orders were paid, of which nobody else knows yet."""
    paid = [one.paid for one in bought if one.paid.order.total_minor]
    if paid:
        await lock_numbers(conn, organization_id)
        await _write(conn, make_id, organization_id, [_bought(one.order, one.lines) for one in paid])


def _bought(order: Order, sold: Sequence[OrderLine]) -> "_Says":
    lines = tuple(ReceiptLine(line.quantity, line.description, line.price_minor, line.total_minor) for line in sold)
    return _Says(order, None, order.total_minor, lines, tax_rows(quotes_of(sold)))


async def issue_credit_note(
    conn: Connection, make_id: MakeId, organization_id: UUID, refund_id: UUID
) -> Receipt | None:
    """Issue the credit note of a refund that its provider has done, once, and its order's receipt before it.

    None for money that bought nothing, which has no receipt either.
    """
    refund = await load_refund(conn, organization_id, refund_id)
    if refund is None or refund.status is not RefundStatus.SUCCEEDED:
        return None
    if not await is_out_of_sale(conn, organization_id, refund_id):
        return None
    receipt = await issue_receipt(conn, make_id, organization_id, refund.order_id)
    order = await load_order(conn, organization_id, refund.order_id)
    if receipt is None or order is None:
        return None
    line = ReceiptLine(1, receipt.label, refund.amount_minor, refund.amount_minor)
    taxes = await _taxes_of(conn, receipt, refund)
    says = _Says(order, refund_id, refund.amount_minor, (line,), taxes)
    (note,) = await _issue(conn, make_id, organization_id, [says])
    return note


async def _taxes_of(conn: Connection, receipt: Receipt, refund: Refund) -> tuple[TaxRow, ...]:
    """Work out the taxes of a refund. The lock of numbers is held since its receipt was looked at."""
    ids = (refund.organization_id, refund.order_id)
    notes = [one for one in await load_receipts(conn, *ids) if one.refund_id and one.refund_id != refund.refund_id]
    if not receipt.taxes:
        return ()
    tax_minor, units = await load_given_back(conn, refund.organization_id, refund.refund_id)
    left_minor = receipt.amount_minor - sum(note.amount_minor for note in notes)
    given = GivenBack(refund.amount_minor, tax_minor, units)
    left = taxes_left(receipt.taxes, [note.taxes for note in notes])
    return taxes_given_back(await load_lines(conn, *ids), left, left_minor, given)


@dataclass(frozen=True, slots=True)
class _Says:
    """What a receipt, or with a refund a credit note, says of an order."""

    order: Order
    refund_id: UUID | None
    amount_minor: int
    lines: tuple[ReceiptLine, ...]
    taxes: tuple[TaxRow, ...]


async def _issue(conn: Connection, make_id: MakeId, organization_id: UUID, said: Sequence[_Says]) -> list[Receipt]:
    """Return the receipts or notes, and give the next numbers to those that are not there yet."""
    await lock_numbers(conn, organization_id)
    of_orders = await load_receipts_of_orders(conn, organization_id, [says.order.order_id for says in said])
    known = {(one.order_id, one.refund_id): one for one in of_orders}
    new = [says for says in said if (says.order.order_id, says.refund_id) not in known]
    if new:
        issued = await _write(conn, make_id, organization_id, new)
        known |= {(one.order_id, one.refund_id): one for one in issued}
    return [known[says.order.order_id, says.refund_id] for says in said]


async def _write(conn: Connection, make_id: MakeId, organization_id: UUID, new: Sequence[_Says]) -> list[Receipt]:
    """Give the next numbers; the caller holds their lock."""
    organization = await load_organization(conn, organization_id)
    names = await load_event_names(conn, organization_id, {says.order.session_id for says in new})
    name = organization.name if organization else ""
    rows = [_receipt(make_id(), says, name, names.get(says.order.session_id, "")) for says in new]
    return await insert_receipts(conn, organization_id, rows)


def _receipt(receipt_id: UUID, says: _Says, organization: str, event: str) -> Receipt:
    order = says.order
    return Receipt(
        organization_id=order.organization_id,
        receipt_id=receipt_id,
        kind="credit_note" if says.refund_id else "receipt",
        year=0,
        number=0,
        order_id=order.order_id,
        refund_id=says.refund_id,
        amount_minor=says.amount_minor,
        currency=order.currency,
        issued_at=order.placed_at,
        organization=organization,
        event=event,
        lines=says.lines,
        taxes=says.taxes,
    )
