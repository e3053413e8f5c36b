"""Ending attempts that nobody ended: those past their deadline, and those whose notice got lost."""

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.orders.queries import load_order
from fullhouse.payments.cancel_payment import cancel_payment
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.rules import Payment, PaymentStatus, ProviderRefused, ProviderUnavailable, ProviderUnknown
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.starting.send_attempts import attempt_of
from fullhouse.payments.writes import claim_unended
from fullhouse.reservations.deadlines.hold_for import hold_for

ASK_AFTER_SECONDS = 120.0
"""How long we wait for a notice before we ask, and how often we ask again."""
PAYMENTS_PER_RUN_MAX = 100

_log = get_log("payments")


async def expire_attempts(
    pool: Pool, make_id: MakeId, providers: Providers, *, ask_after_seconds: float = ASK_AFTER_SECONDS
) -> int:
    """Ask providers about attempts without an end, and cancel those past their deadline. Returns how many ended.

    What the provider says is settled, so a lost notice is healed here. While a provider cannot be reached, or has
    not decided on a cancellation, the hold of that order is prolonged: its stock is never sold under an attempt
    that may still win.
    """
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        due = await claim_unended(conn, ask_after_seconds, PAYMENTS_PER_RUN_MAX)
    ended = 0
    for payment, is_over in due:
        ended += await _end(pool, make_id, providers, payment, is_over=is_over)
    return ended


async def _end(pool: Pool, make_id: MakeId, providers: Providers, payment: Payment, *, is_over: bool) -> bool:
    try:
        if is_over:
            now = await cancel_payment(pool, make_id, providers, payment.organization_id, payment.payment_id)
        else:
            now = await _ask(pool, make_id, providers, payment)
    except (ProviderRefused, ProviderUnavailable, ProviderUnknown) as away:
        now = payment
        _log.warning("payment_provider_away", payment_id=str(payment.payment_id), error=away.detail)
    if now.status is PaymentStatus.STARTED and is_over:
        _log.warning("payment_without_an_end", payment_id=str(payment.payment_id), deadline_at=str(payment.deadline_at))
        await _hold_on(pool, payment, ASK_AFTER_SECONDS + providers.margin_seconds)
    return now.status is not PaymentStatus.STARTED


async def _ask(pool: Pool, make_id: MakeId, providers: Providers, payment: Payment) -> Payment:
    charge = await providers.named(payment.provider).fetch(attempt_of(payment))
    if charge is None:
        # The call may still be on its way; at the deadline it is cancelled, whether it arrived or not.
        return payment
    async with transaction(pool, payment.organization_id) as conn:
        return await settle_payment(conn, make_id, payment.organization_id, payment.payment_id, charge)


async def _hold_on(pool: Pool, payment: Payment, seconds: float) -> None:
    async with transaction(pool, payment.organization_id) as conn:
        order = await load_order(conn, payment.organization_id, payment.order_id)
        if order is None:
            return
        held = await hold_for(conn, payment.organization_id, {order.reservation_id: seconds})
        if isinstance(held[order.reservation_id], DomainError):
            _log.warning("hold_lapsed_before_payment", payment_id=str(payment.payment_id))
