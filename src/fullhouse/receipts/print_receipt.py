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
from fullhouse.receipts.rules import ReceiptKind, ReceiptNotFound


@dataclass(frozen=True, slots=True)
class PrintedFile:
    """A receipt or credit note as PDF."""

    name: str
    data: bytes


async def print_receipt(pool: Pool, order: Order, which: UUID | ReceiptKind = "receipt") -> PrintedFile:
    """Set one of an order's receipts and credit notes: the one that is named, or the newest of a kind.

    Raises ``ReceiptNotFound``.
    """
    async with connection(pool, order.organization_id) as conn:
        found = await load_receipts(conn, order.organization_id, order.order_id)
        contact = await load_contact(conn, order.organization_id, order.order_id)
    wanted = [one for one in found if which in {one.receipt_id, one.kind}]
    if not wanted:
        raise ReceiptNotFound
    receipt = wanted[-1]
    data = await asyncio.to_thread(render_receipt, describe_receipt(receipt, contact, order.language))
    return PrintedFile(f"{receipt.kind.replace('_', '-')}-{receipt.label}.pdf", data)
