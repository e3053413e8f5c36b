"""Routes of receipts and credit notes, for who bought and for the organization."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from fullhouse.access.http import holder_or_member, requires
from fullhouse.access.policies.order import opens
from fullhouse.access.rules import Asker
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import Pool, connection
from fullhouse.orders.find_order import find_order
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.pricing.rules import percent_text
from fullhouse.receipts.print_receipt import print_receipt
from fullhouse.receipts.queries import list_receipts, load_receipts
from fullhouse.receipts.rules import Receipt, ReceiptKind
from fullhouse.tickets.rules import PDF_TYPE

router = APIRouter(tags=["receipts"])

Reader = Annotated[Asker, holder_or_member("Order", "order:read")]
_LIST = "receipts"
_FILE = {"type": "string", "format": "binary"}


class ReceiptTaxAnswer(ApiModel):
    """A tax by its rate: of how much, without any tax, and what it comes to. It is contained in the amount."""

    name: str
    percent: str
    net_minor: int
    tax_minor: int


class ReceiptAnswer(ApiModel):
    """A receipt, or with ``refund_id`` a credit note. ``label`` is its number as it is printed."""

    id: UUID
    kind: ReceiptKind
    label: str
    year: int
    number: int
    order_id: UUID
    refund_id: UUID | None
    amount_minor: int
    currency: str
    issued_at: Instant
    taxes: list[ReceiptTaxAnswer]


@router.get("/orders/{order_id}/receipts", responses=problems(404))
async def get_order_receipts(order_id: UUID, asker: Reader, resources: ResourcesDep) -> Page[ReceiptAnswer]:
    """List the receipt of an order and the credit notes of its refunds. A worker issues them, in a moment."""
    order = await _open(resources.pool, order_id, asker)
    async with connection(resources.pool, order.organization_id) as conn:
        found = await load_receipts(conn, order.organization_id, order_id)
    return Page(items=[_answer(receipt) for receipt in found])


@router.get(
    "/orders/{order_id}/receipts/{receipt_id}/receipt.pdf",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {PDF_TYPE: {"schema": _FILE}}}, **problems(404)},
)
async def get_receipt_pdf(order_id: UUID, receipt_id: UUID, asker: Reader, resources: ResourcesDep) -> Response:
    """Return a receipt or credit note as PDF, in the language of its order."""
    order = await _open(resources.pool, order_id, asker)
    printed = await print_receipt(resources.pool, order, receipt_id)
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": f'inline; filename="{printed.name}"'}
    return Response(printed.data, media_type=PDF_TYPE, headers=headers)


@router.get(
    "/organizations/{organization_id}/receipts", dependencies=[requires("report:read")], responses=problems(404)
)
async def get_receipts(
    organization_id: UUID, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[ReceiptAnswer]:
    """List the receipts and credit notes of an organization, by number."""
    after = decode_cursor(_LIST, cursor, (int, int))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_receipts(conn, organization_id, (after[0], after[1]) if after else None, limit + 1)
    return page_of(_LIST, found, limit, _answer, lambda receipt: (receipt.year, receipt.number))


async def _open(pool: Pool, order_id: UUID, asker: Asker) -> Order:
    order = await find_order(pool, order_id)
    if not opens(asker, order.organization_id, order.secret_hash):
        raise OrderNotFound
    return order


def _answer(receipt: Receipt) -> ReceiptAnswer:
    return ReceiptAnswer(
        id=receipt.receipt_id,
        kind=receipt.kind,
        label=receipt.label,
        year=receipt.year,
        number=receipt.number,
        order_id=receipt.order_id,
        refund_id=receipt.refund_id,
        amount_minor=receipt.amount_minor,
        currency=receipt.currency,
        issued_at=receipt.issued_at,
        taxes=[
            ReceiptTaxAnswer(name=name, percent=percent_text(rate), net_minor=net, tax_minor=tax)
            for name, rate, net, tax in receipt.taxes
        ],
    )
