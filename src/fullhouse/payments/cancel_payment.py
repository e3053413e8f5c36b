"""Cancelling: an attempt is over when the provider says so, and only then may its order and its stock be given up."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.orders.cancel_order import cancel_order
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound, OrderStatus
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.queries import load_payment, load_payments
from fullhouse.payments.rules import Payment, PaymentNotFound, PaymentOpen, PaymentStatus, open_payment
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.starting.send_attempts import attempt_of
from fullhouse.payments.writes import lock_order_money, mark_cancel_requested

ROUNDS_MAX = 3
"""Each round may meet an attempt that was opened while the one before was being cancelled."""


async def cancel_payment(
    pool: Pool, make_id: MakeId, providers: Providers, organization_id: UUID, payment_id: UUID
) -> Payment:
    """Ask the provider to take no money for an attempt, and settle what it answers: also that it took the money.

    The stock of the order stays held. The payment that is returned is still ``started`` where the provider has not
    decided yet. Safe to repeat. Raises ``PaymentNotFound`` and ``ProviderUnavailable``.
    """
    async with connection(pool, organization_id) as conn:
        await mark_cancel_requested(conn, organization_id, payment_id)
        payment = await load_payment(conn, organization_id, payment_id)
    if payment is None:
        raise PaymentNotFound
    if payment.status is not PaymentStatus.STARTED:
        return payment
    charge = await providers.named(payment.provider).cancel(attempt_of(payment))
    async with transaction(pool, organization_id) as conn:
        return await settle_payment(conn, make_id, organization_id, payment_id, charge)


async def abandon_order(
    pool: Pool, make_id: MakeId, providers: Providers, organization_id: UUID, order_id: UUID
) -> Order:
    """Cancel an order that is not paid. Its stock is given back only when no payment of it can win any more.

    An order that is cancelled already is returned as it is. Raises ``OrderNotFound``, ``OrderNotPending``,
    ``OrderAlreadyPaid`` (also where the open payment won meanwhile), ``PaymentOpen`` where the provider has not
    decided yet, and ``ProviderUnavailable``.
    """
    running: Payment | None = None
    for _ in range(ROUNDS_MAX):
        async with transaction(pool, organization_id) as conn:
            await lock_order_money(conn, organization_id, order_id)
            order = await load_order(conn, organization_id, order_id)
            if order is None:
                raise OrderNotFound
            if order.status is OrderStatus.CANCELLED:
                return order
            running = open_payment(await load_payments(conn, organization_id, order_id))
            if running is None:
                return await cancel_order(conn, make_id, organization_id, order_id)
        running = await cancel_payment(pool, make_id, providers, organization_id, running.payment_id)
        if running.status is PaymentStatus.STARTED:
            break
    raise PaymentOpen(
        "The payment cannot be cancelled yet; try again.",
        payment_id=str(running.payment_id) if running else None,
    )
