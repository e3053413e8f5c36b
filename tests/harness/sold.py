"""A paid order under test, and what happens to its tickets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.message import Message
from fullhouse.infra import system
from fullhouse.infra.mailer import Mailer
from fullhouse.infra.object_store import ObjectStore
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.queries import load_units
from fullhouse.orders.rules import Order, Unit
from fullhouse.reservations.place_reservation import Placed
from fullhouse.reservations.rules import ItemRequest
from fullhouse.seating.rules import SeatMap
from fullhouse.tickets.issue_tickets import issue_tickets
from fullhouse.tickets.mail_tickets import Mailroom
from fullhouse.tickets.queries import load_tickets
from fullhouse.tickets.rules import Ticket
from harness.sale import Sale, make_sale
from harness.stock import SERVER_KEY, box_office, make_seated_session

Sell = Callable[..., Awaitable["Sold"]]
SENDER = "Fullhouse <tickets@tickets.example>"


@dataclass
class Sold:
    """A paid order, and what happens to its tickets."""

    pool: Pool
    sale: Sale
    order: Order

    @property
    def organization_id(self) -> UUID:
        return self.order.organization_id

    @property
    def order_id(self) -> UUID:
        return self.order.order_id

    async def issue(self, server_key: bytes = SERVER_KEY) -> list[Ticket]:
        async with transaction(self.pool, self.organization_id) as conn:
            return list(await issue_tickets(conn, system.make_id, server_key, self.organization_id, self.order_id))

    async def tickets(self) -> tuple[Ticket, ...]:
        async with transaction(self.pool, self.organization_id) as conn:
            return await load_tickets(conn, self.organization_id, self.order_id)

    async def units(self) -> tuple[Unit, ...]:
        async with transaction(self.pool, self.organization_id) as conn:
            return await load_units(conn, self.organization_id, self.order_id)

    async def refund(self, *unit_ids: UUID) -> None:
        """Refund these units, or all."""
        async with transaction(self.pool, self.organization_id) as conn:
            await refund_order(conn, system.make_id, self.organization_id, self.order_id, RefundWish(unit_ids=unit_ids))

    async def announced(self, *types: str) -> list[Message]:
        return await self.sale.messages(*types)


async def sell(pool: Pool, quantity: int = 3, *, language: str = "en", **plan: Any) -> Sold:
    """Put a session on sale, and let one order of it be paid. No ticket is issued yet."""
    sale = await make_sale(pool, **plan)
    return await pay_for(sale, await sale.hold(quantity), language)


async def sell_seats(pool: Pool, seat_map: SeatMap, seats: tuple[str, ...]) -> Sold:
    """Put a session with seats on sale, and let one order of these seats be paid."""
    made = await make_seated_session(pool, seat_map)
    like = await make_sale(pool)
    sale = replace(like, made=made, office=box_office(pool), handled=[])
    item = ItemRequest(made.types["adult"], seats=seats)
    return await pay_for(sale, await sale.office.place_reservation(made.session_id, (item,)))


async def pay_for(sale: Sale, held: Placed, language: str = "en") -> Sold:
    """Order what is held, and let it be paid."""
    placed = await sale.order(placed=held)
    if placed.order.total_minor:
        await sale.pay(placed.order.order_id)
        await sale.deliver()
    await sale.work()
    await sale.pool.execute("UPDATE orders SET language = $2 WHERE order_id = $1", placed.order.order_id, language)
    order = await sale.show(placed.order.order_id)
    assert order.status == "paid"
    return Sold(sale.pool, sale, order)


def make_mailroom(object_store: ObjectStore, mailer: Mailer) -> Mailroom:
    return Mailroom(
        object_store=object_store,
        mailer=mailer,
        server_key=SERVER_KEY,
        order_link=lambda order_id: f"https://tickets.example/orders/{order_id}?secret=s-e_c&x=<y>",
        host="tickets.example",
    )


async def waits_for_lock(pool: Pool, task: asyncio.Task[Any]) -> None:
    """Return when a transaction of this database waits for an advisory lock, which the task must be doing."""
    while not task.done():
        waiting = await pool.fetchval(
            """
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        )
        if waiting:
            return
    raise AssertionError("the task did not wait")
