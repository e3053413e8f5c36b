"""Issuing receipts and credit notes: the reactions to ``order.paid`` and ``refund.succeeded``.

A worker numbers them, so that no buyer waits for the number of another. The row is the number: what is rolled back, by
whatever ends a worker, leaves no gap, and two workers of one organization wait for each other.
"""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events.queries import load_terms
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import load_lines, load_order
from fullhouse.orders.rules import Order
from fullhouse.organizations.queries import load_organization
from fullhouse.payments.queries import load_refund
from fullhouse.payments.rules import RefundStatus
from fullhouse.receipts.queries import find_receipt, is_out_of_sale
from fullhouse.receipts.rules import Receipt, ReceiptLine
from fullhouse.receipts.writes import insert_receipt, lock_numbers


async def issue_receipt(conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID) -> Receipt | None:
    """Issue the receipt of a paid order, once: repeating returns it. None where nothing was to be paid."""
    order = await load_order(conn, organization_id, order_id)
    if order is None or order.paid_at is None or not order.total_minor:
        return None
    lines = tuple(
        ReceiptLine(line.quantity, line.description, line.price_minor, line.total_minor)
        for line in await load_lines(conn, organization_id, order_id)
    )
    return await _issue(conn, make_id, order, None, order.total_minor, lines)


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
    return await _issue(conn, make_id, order, refund_id, refund.amount_minor, (line,))


async def _issue(
    conn: Connection,
    make_id: MakeId,
    order: Order,
    refund_id: UUID | None,
    amount_minor: int,
    lines: tuple[ReceiptLine, ...],
) -> Receipt:
    organization_id = order.organization_id
    await lock_numbers(conn, organization_id)
    known = await find_receipt(conn, organization_id, order.order_id, refund_id)
    if known is not None:
        return known
    organization = await load_organization(conn, organization_id)
    terms = await load_terms(conn, organization_id, order.session_id)
    new = Receipt(
        organization_id=organization_id,
        receipt_id=make_id(),
        kind="credit_note" if refund_id else "receipt",
        year=0,
        number=0,
        order_id=order.order_id,
        refund_id=refund_id,
        amount_minor=amount_minor,
        currency=order.currency,
        issued_at=order.placed_at,
        organization=organization.name if organization else "",
        event=terms.event_name if terms else "",
        lines=lines,
    )
    return await insert_receipt(conn, new)
