"""Refunding an order: tickets void, units cancelled, stock back, and the money requested, in one transaction."""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.access.policies.refund import check_refund
from fullhouse.aftersales.rules import RefundPlan, RefundWish, plan_refund
from fullhouse.aftersales.writes import insert_refunded_units, name_refund
from fullhouse.core.actor import Actor
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.orders.cancel_units import cancel_units
from fullhouse.orders.lines import parts_of_units
from fullhouse.orders.queries import load_order, load_units
from fullhouse.orders.rules import Order, OrderNotFound, drawn_by
from fullhouse.organizations.queries import load_refund_limit
from fullhouse.payments.ledger import Account, sold_accounts
from fullhouse.payments.queries import load_refunds, load_sold
from fullhouse.payments.request_refund import RefundRequest, lock_order_money, request_refund
from fullhouse.payments.rules import Refund
from fullhouse.reservations.return_stock import return_stock
from fullhouse.tickets.void_tickets import void_tickets


@dataclass(frozen=True, slots=True)
class RefundedOrder:
    """The order as it is after a refund, the units that ended, and what was requested of the provider."""

    order: Order
    unit_ids: tuple[UUID, ...]
    amount_minor: int
    refunds: tuple[Refund, ...]


async def refund_order(
    conn: Connection,
    make_id: MakeId,
    organization_id: UUID,
    order_id: UUID,
    wish: RefundWish,
    by: Actor | None = None,
) -> RefundedOrder:
    """Give back what the wish says of a paid order, each unit once, if who asks may give back so much.

    ``by`` is who asks; None where nobody does, and no limit holds.

    Two refunds of one order go one after the other, so the second sees what is left. Locks the order's money, then
    stock, order, payments, tickets. Raises ``OrderNotFound``, ``RefundAboveLimit`` and what ``plan_refund`` raises;
    nothing is then changed.
    """
    await lock_order_money(conn, organization_id, order_id)
    order = await load_order(conn, organization_id, order_id)
    if order is None:
        raise OrderNotFound
    units = await load_units(conn, organization_id, order_id)
    sold = await load_sold(conn, organization_id, order_id)
    plan = plan_refund(order, units, max(0, -sum(sold.values())), wish)
    if by is not None:
        before = sum(refund.amount_minor for refund in await load_refunds(conn, organization_id, order_id))
        limit = await load_refund_limit(conn, organization_id)
        check_refund(by, limit, before_minor=before, amount_minor=plan.amount_minor)
    unit_ids = tuple(unit.unit_id for unit in plan.units)
    if unit_ids:
        order = await _end_units(conn, make_id, order, plan, returned=wish.return_stock)
    refunds: tuple[Refund, ...] = ()
    if plan.amount_minor:
        if plan.units and not wish.is_whole:
            sold = sold_accounts(parts_of_units(plan.units))
        wanted = RefundRequest(organization_id, order_id, plan.amount_minor, wish.reason, Account.SALES, sold)
        refunds = await request_refund(conn, make_id, wanted)
        await name_refund(conn, organization_id, unit_ids, refunds[0].refund_id)
    details: dict[str, Json] = {
        "amount_minor": plan.amount_minor,
        "currency": order.currency,
        "unit_count": len(unit_ids),
        "stock_returned": bool(unit_ids) and wish.return_stock,
    }
    await record(conn, organization_id, Act("order.refund", "order", order_id, details))
    return RefundedOrder(order, unit_ids, plan.amount_minor, refunds)


async def _end_units(conn: Connection, make_id: MakeId, order: Order, plan: RefundPlan, *, returned: bool) -> Order:
    organization_id, order_id = order.organization_id, order.order_id
    unit_ids = [unit.unit_id for unit in plan.units]
    if returned:
        seats, counts = drawn_by(plan.units)
        await return_stock(conn, organization_id, order.session_id, seats=seats, quota_counts=counts)
    order = await cancel_units(conn, make_id, organization_id, order_id, unit_ids)
    await insert_refunded_units(conn, organization_id, order_id, unit_ids, stock_returned=returned)
    await void_tickets(conn, make_id, organization_id, order_id, unit_ids)
    return order
