"""A database in which everything happened that can, sold by the product's own functions and the real worker."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from harness.charges import ORDER_FEE, PLATFORM, SERVICE, VAT, declare, new_code
from harness.sale import Sale, make_sale
from harness.stock import SERVER_KEY, make_seated_session, rectangle
from harness.waiting import until
from harness.worker import drained, resources_on, running_worker

from fullhouse.admission.rules import Direction, Scan
from fullhouse.admission.scan_ticket import scan_ticket
from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.actor import OPERATOR
from fullhouse.events.queries import load_terms
from fullhouse.infra.audit_log import Asking, asking
from fullhouse.infra.idempotency import Claim, fingerprint, keep
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id
from fullhouse.orders.cancel_order import cancel_order
from fullhouse.pricing.codes import CodeTerms
from fullhouse.reservations.block_stock import block_stock
from fullhouse.reservations.rules import BestAvailable, ItemRequest, NewAllocation
from fullhouse.tickets.code import TicketClaims, derive_signing_key, make_code
from fullhouse.tickets.queries import load_tickets
from fullhouse.tickets.rules import TicketStatus


async def build_healthy(pool: Any, valkey: Any, url: str, folder: Path) -> None:
    """Sell, decline, let lapse, cancel, pay late, refund, block, scan; and wait until nothing is under way."""
    resources = resources_on(pool, valkey, url, folder)
    standing = await make_sale(pool, capacity=30)
    seated = await make_sale(pool)
    seated.made = await make_seated_session(pool, rectangle(4, 10))
    await declare(pool, seated.made.organization_id, SERVICE, ORDER_FEE, PLATFORM, taxes=(VAT,))
    await new_code(pool, seated.made.organization_id, CodeTerms("TEN", rate=100_000))
    async with running_worker(resources):
        asking.set(Asking(OPERATOR, "192.0.2.1", "a browser"))
        await asyncio.gather(_standing(standing), _seated(seated))
        await drained(pool)
    for sale in (standing, seated):
        await sale.office.close()


async def _standing(sale: Sale) -> None:
    await asyncio.gather(
        _paid(sale, 3),
        _pending(sale),
        _lapsed(sale),
        _cancelled(sale),
        _declined(sale),
        _refunded(sale, RefundWish()),
        _refunded(sale, RefundWish(lines={1: 1}, return_stock=False)),
        _block(sale, NewAllocation("house", "artists", [], {"standing": 2}, None)),
        _scanned(sale),
    )
    await _too_late(sale)
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        claim = Claim(sale.made.organization_id, "orders", "key-1", fingerprint({"quantity": 1}))
        await keep(conn, claim, 201, {"id": "order"})


async def _seated(sale: Sale) -> None:
    for count in (2, 3):
        wish = (ItemRequest(sale.made.types["adult"], best_available=BestAvailable(count)),)
        placed = await sale.office.place_reservation(sale.made.session_id, wish, code="ten")
        order = (await sale.order(placed=placed)).order
        if count == 2:
            await _pay(sale, order.order_id)
    await _block(sale, NewAllocation("house", "artists", ["4-1", "4-2"], {}, None))


async def _pay(sale: Sale, order_id: UUID) -> None:
    await sale.pay(order_id)
    await until(lambda: _is_delivered(sale, order_id))


async def _is_delivered(sale: Sale, order_id: UUID) -> bool:
    query = "SELECT EXISTS (SELECT FROM mail_deliveries WHERE organization_id = $1 AND order_id = $2)"
    return await sale.pool.fetchval(query, sale.made.organization_id, order_id)


async def _paid(sale: Sale, quantity: int) -> UUID:
    order_id = (await sale.order(quantity)).order.order_id
    await _pay(sale, order_id)
    return order_id


async def _pending(sale: Sale) -> None:
    await sale.order(1)


async def _lapsed(sale: Sale) -> None:
    placed = await sale.order(1)
    await sale.lapse(placed)
    await _until_status(sale, placed.order.order_id, "expired")


async def _cancelled(sale: Sale) -> None:
    order = (await sale.order(1)).order
    async with transaction(sale.pool, order.organization_id) as conn:
        await cancel_order(conn, make_id, order.organization_id, order.order_id, reason="by_buyer")


async def _declined(sale: Sale) -> None:
    order_id = (await sale.order(1)).order.order_id
    for attempt in range(1, 4):
        await sale.pay(order_id, "decline")
        await until(lambda attempt=attempt: _declined_count_is(sale, order_id, attempt))
    await _until_status(sale, order_id, "cancelled")


async def _declined_count_is(sale: Sale, order_id: UUID, count: int) -> bool:
    return sum(payment.status.value == "declined" for payment in await sale.payments(order_id)) == count


async def _refunded(sale: Sale, wish: RefundWish) -> None:
    order_id = await _paid(sale, 2)
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        await refund_order(conn, make_id, sale.made.organization_id, order_id, wish)


async def _too_late(sale: Sale) -> None:
    """Let money come when the places are gone: the order is unseated, and its money goes back."""
    placed = await sale.order(1)
    payment = await sale.pay(placed.order.order_id, "late")
    await sale.lapse(placed)
    await _until_status(sale, placed.order.order_id, "expired")
    capacity, held, sold, blocked = await sale.stock()
    await _block(sale, NewAllocation("the rest", "", [], {"standing": capacity - held - sold - blocked}, None))
    await sale.make_due(payment)
    await _until_status(sale, placed.order.order_id, "refunded")


async def _until_status(sale: Sale, order_id: UUID, status: str) -> None:
    async def is_there() -> bool:
        return (await sale.show(order_id)).status.value == status

    await until(is_there)


async def _block(sale: Sale, new: NewAllocation) -> None:
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        terms = await load_terms(conn, sale.made.organization_id, sale.made.session_id)
        assert terms is not None
        await block_stock(conn, make_id, terms, new)


async def _scanned(sale: Sale) -> None:
    order_id = await _paid(sale, 1)
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        (ticket,) = await load_tickets(conn, sale.made.organization_id, order_id)
    assert ticket.status is TicketStatus.VALID
    claims = TicketClaims(ticket.key_id, 1, ticket.event_id, ticket.session_id, ticket.ticket_id)
    code = make_code(claims, derive_signing_key(SERVER_KEY, ticket.organization_id, ticket.key_id))
    for direction in (Direction.IN, Direction.OUT, Direction.IN):
        async with transaction(sale.pool, ticket.organization_id) as conn:
            await scan_ticket(conn, make_id, Scan(ticket.organization_id, code, direction))
