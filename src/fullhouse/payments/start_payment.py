"""Starting a payment: its row and its keys are written first, then the provider is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events.queries import load_terms
from fullhouse.infra.directory import register
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound, refuse_unless_pending
from fullhouse.payments.providers.port import Attempt, Provider, Providers, Started, provider_unknown
from fullhouse.payments.queries import load_payment, load_payments
from fullhouse.payments.rules import (
    Charge,
    ChargeStatus,
    Payment,
    PaymentNotFound,
    PaymentStatus,
    ProviderRefused,
    ProviderUnavailable,
    refuse_new_attempt,
    tries_max,
)
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.writes import NewPayment, insert_payment, lock_order_money, record_start
from fullhouse.reservations.extend_reservation import hold_until

CALLS_MAX = 2


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """How a buyer wants to pay: a provider by name, and what it asks for besides."""

    organization_id: UUID
    order_id: UUID
    provider: str
    options: Mapping[str, Any]


async def start_payment(pool: Pool, make_id: MakeId, providers: Providers, request: PaymentRequest) -> Payment:
    """Open an attempt, commit, and call the provider, with no transaction open while it answers.

    A process that dies between the two leaves an attempt that ``expire_attempts`` ends. Raises as
    ``open_attempt`` does.
    """
    await check_offered(providers, request)
    async with transaction(pool, request.organization_id) as conn:
        payment = await open_attempt(conn, make_id, providers, request)
    return await send_attempt(pool, make_id, providers, payment.organization_id, payment.payment_id)


async def check_offered(providers: Providers, request: PaymentRequest) -> None:
    """Raise ``ProviderUnknown`` unless the organization's buyers can pay with the provider. Before a transaction."""
    provider = providers.named(request.provider)
    if not await provider.is_offered(request.organization_id):
        raise provider_unknown(await providers.offered_to(request.organization_id))


async def open_attempt(conn: Connection, make_id: MakeId, providers: Providers, request: PaymentRequest) -> Payment:
    """Write the row of an attempt and hold the places until its deadline and a margin have passed.

    ``send_attempt`` then calls the provider, after the commit. Raises ``OrderNotFound``, ``OrderAlreadyPaid``,
    ``OrderNotPending``, ``ReservationExpired``, ``PaymentOpen``, ``PaymentDeclined``, ``ProviderUnknown`` and what the
    provider finds wrong with the options.
    """
    provider = providers.named(request.provider)
    options = provider.check_options(request.options)
    await lock_order_money(conn, request.organization_id, request.order_id)
    order = await load_order(conn, request.organization_id, request.order_id)
    if order is None:
        raise OrderNotFound
    refuse_unless_pending(order)
    attempts = await load_payments(conn, order.organization_id, order.order_id)
    if attempts:
        terms = await load_terms(conn, order.organization_id, order.session_id)
        refuse_new_attempt(attempts, tries_max(release_on_decline=terms is not None and terms.release_on_decline))
    seconds = max(providers.attempt_seconds, provider.attempt_seconds_min(options))
    deadline_at = await _hold(conn, order, seconds, providers.margin_seconds)
    new = NewPayment(make_id(), len(attempts) + 1, request.provider, options, deadline_at)
    payment = await insert_payment(conn, order, new)
    await register(conn, "payment", order.organization_id, [payment.payment_id])
    return payment


async def _hold(conn: Connection, order: Order, seconds: int, margin_seconds: int) -> datetime:
    """Move the hold to the attempt's deadline plus the margin, and return the deadline."""
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    deadline_at = now + timedelta(seconds=seconds)
    held_until = deadline_at + timedelta(seconds=margin_seconds)
    await hold_until(conn, order.organization_id, order.reservation_id, held_until)
    return deadline_at


async def send_attempt(
    pool: Pool, make_id: MakeId, providers: Providers, organization_id: UUID, payment_id: UUID
) -> Payment:
    """Call the provider for an open attempt, and write down what it answers.

    Safe to repeat, also at the same time: the provider takes one key as one attempt. Where no answer comes, the
    attempt stays open without a next step, and a notice, or ``expire_attempts``, finds out what became of it.
    """
    async with connection(pool, organization_id) as conn:
        payment = await load_payment(conn, organization_id, payment_id)
    if payment is None:
        raise PaymentNotFound
    if payment.status is not PaymentStatus.STARTED or payment.next_step is not None:
        return payment
    try:
        started = await _call(providers, payment)
    except ProviderUnavailable:
        return payment
    except ProviderRefused as refused:
        reason = str(refused.fields.get("reason", "not_possible"))
        charge = Charge(payment.provider_key, ChargeStatus.DECLINED, reason=reason)
        async with transaction(pool, organization_id) as conn:
            return await settle_payment(conn, make_id, organization_id, payment_id, charge)
    async with transaction(pool, organization_id) as conn:
        await lock_order_money(conn, organization_id, payment.order_id)
        await record_start(conn, organization_id, payment_id, started.charge.reference, started.next_step)
        charge = started.charge
        if charge.status is not ChargeStatus.OPEN or charge.reason or charge.capture_reference:
            return await settle_payment(conn, make_id, organization_id, payment_id, charge)
        # What is open and was not declined settles nothing; a notice may have been faster than the answer.
        return await load_payment(conn, organization_id, payment_id) or payment


async def _call(providers: Providers, payment: Payment) -> Started:
    provider: Provider = providers.named(payment.provider)
    attempt = attempt_of(payment)
    for _ in range(CALLS_MAX - 1):
        try:
            return await provider.start(attempt)
        except ProviderUnavailable:
            continue
    return await provider.start(attempt)


def attempt_of(payment: Payment) -> Attempt:
    """Tell a provider of a payment."""
    return Attempt(
        organization_id=payment.organization_id,
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        provider_key=payment.provider_key,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        started_at=payment.started_at,
        deadline_at=payment.deadline_at,
        options=payment.request,
        reference=payment.provider_reference,
        capture_reference=payment.capture_reference,
    )
