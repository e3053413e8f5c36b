"""Printing the receipts of an order: the words of its language, and who bought as long as that is known."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.postgres import Pool, connection
from fullhouse.orders.queries import load_contact
from fullhouse.orders.rules import Order
from fullhouse.receipts.describe_receipt import describe_receipt
from fullhouse.receipts.queries import load_receipts
from fullhouse.receipts.render_receipt import render_receipt
from fullhouse.receipts.rules import ReceiptNotFound


@dataclass(frozen=True, slots=True)
class PrintedFile:
    """A receipt or credit note as PDF."""

    name: str
    data: bytes


async def print_receipt(pool: Pool, order: Order, receipt_id: UUID | None = None) -> PrintedFile:
    """Set one of an order's receipts and credit notes, its receipt unless another is named.

    Raises ``ReceiptNotFound``.
    """
    async with connection(pool, order.organization_id) as conn:
        found = await load_receipts(conn, order.organization_id, order.order_id)
        contact = await load_contact(conn, order.organization_id, order.order_id)
    wanted = (one for one in found if (one.receipt_id == receipt_id if receipt_id else one.kind == "receipt"))
    receipt = next(wanted, None)
    if receipt is None:
        raise ReceiptNotFound
    data = await asyncio.to_thread(render_receipt, describe_receipt(receipt, contact, order.language))
    return PrintedFile(f"{receipt.kind.replace('_', '-')}-{receipt.label}.pdf", data)
