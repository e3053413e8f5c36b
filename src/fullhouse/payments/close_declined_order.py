"""Closing an order whose last try was declined: the reaction to ``payment.declined``."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.events.queries import load_terms
from fullhouse.infra.postgres import Connection
from fullhouse.orders.cancel_order import cancel_order
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import OrderNotPending, OrderStatus
from fullhouse.payments.queries import load_payments
from fullhouse.payments.rules import count_declined, open_payment, tries_max
from fullhouse.payments.writes import lock_order_money

REASON = "payment_declined"


async def close_declined_order(conn: Connection, make_id: MakeId, message: Message) -> bool:
    """Cancel the order and give its stock back when no try is left; before that the hold stays for the next try.

    ``order.cancelled`` with the reason ``payment_declined`` tells the buyer. Returns whether it was closed. Safe to
    repeat: an order that is not pending stays as it is.
    """
    organization_id, order_id = message.organization_id, UUID(str(message.data["order_id"]))
    await lock_order_money(conn, organization_id, order_id)
    order = await load_order(conn, organization_id, order_id)
    if order is None or order.status is not OrderStatus.PENDING:
        return False
    payments = await load_payments(conn, organization_id, order_id)
    terms = await load_terms(conn, organization_id, order.session_id)
    last_try = tries_max(release_on_decline=terms is not None and terms.release_on_decline)
    if open_payment(payments) is not None or count_declined(payments) < last_try:
        return False
    try:
        await cancel_order(conn, make_id, organization_id, order_id, reason=REASON)
    except OrderNotPending:
        # Its hold lapsed at this moment; the stock went back with that, and nothing was written here.
        return False
    return True
