"""Comparing whole days with a provider's books: what was lost is healed, and what cannot be healed becomes a case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.payments import day_writes as writes
from fullhouse.payments.apply_notice import apply_news
from fullhouse.payments.messages import NoticeReceived
from fullhouse.payments.money_cases import NewCase, open_case
from fullhouse.payments.news import Told
from fullhouse.payments.providers.port import Providers, RefundCall
from fullhouse.payments.queries import find_payment_of_capture, load_disputes, load_payment, load_payments, load_refunds
from fullhouse.payments.rules import (
    Charge,
    ChargeStatus,
    Payment,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    Refund,
)
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.settle_refund import settle_refund
from fullhouse.payments.starting.send_attempts import attempt_of

DAYS_PER_RUN_MAX = 10
_log = get_log("payments")


@dataclass(frozen=True, slots=True)
class Day:
    """A day, in UTC, of an organization's dealings with a provider."""

    organization_id: UUID
    provider: str
    day: date

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Return when it begins and when the next one does."""
        since = datetime.combine(self.day, time(), UTC)
        return since, since + timedelta(days=1)


async def reconcile_days(pool: Pool, make_id: MakeId, providers: Providers) -> int:
    """Compare the days of the last week that are over and were not compared yet. Returns how many were.

    Safe to repeat and to run beside itself: each day is leased to one process for a while. Where a provider does not
    answer the day is tried again. Notices that waited for a payment to be known are looked at too.
    """
    await _adopt_waiting(pool, make_id)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        rows = await writes.claim_days(conn, sorted(providers.by_name), DAYS_PER_RUN_MAX)
    compared = 0
    for row in rows:
        day = Day(row["organization_id"], row["provider"], row["day"])
        try:
            await reconcile_day(pool, make_id, providers, day)
            compared += 1
        except (ProviderRefused, ProviderUnavailable, ProviderUnknown) as away:
            _log.warning("day_not_compared", provider=day.provider, day=str(day.day), error=away.detail)
            async with connection(pool, day.organization_id) as conn:
                await writes.postpone_day(conn, day.organization_id, day.provider, day.day, away.detail)
    return compared


async def reconcile_day(pool: Pool, make_id: MakeId, providers: Providers, day: Day) -> int:
    """Compare one day. Returns how many differences were healed; raises what the provider raises."""
    told = await providers.named(day.provider).list_news(day.organization_id, *day.span)
    healed = 0
    for one in told:
        async with transaction(pool, day.organization_id) as conn:
            healed += await _apply(conn, make_id, day, one)
    healed += await _look_for_missing(pool, make_id, providers, day, told)
    async with connection(pool, day.organization_id) as conn:
        counts = (len(told), healed)
        await writes.end_day(conn, day.organization_id, day.provider, day.day, counts)
    _log.info("day_compared", provider=day.provider, day=str(day.day), told=len(told), healed=healed)
    return healed


async def _apply(conn: Connection, make_id: MakeId, day: Day, told: Told) -> bool:
    """Settle what the provider's books say, by the way that notices take. Returns whether anything was new."""
    payment = await _payment_of(conn, day, told)
    if payment is None:
        if isinstance(told.news, Charge):
            detail = f"The provider took {told.news.captured_minor} in minor units for a payment that is not here."
            await open_case(
                conn,
                make_id,
                day.organization_id,
                NewCase("capture_unknown", day.provider, told.news.reference, detail),
            )
        return False
    before = await _state(conn, payment)
    await apply_news(conn, make_id, day.organization_id, payment.payment_id, told.news)
    after = await _state(conn, payment)
    if before != after:
        _log.warning("difference_healed", payment_id=str(payment.payment_id), provider=day.provider)
    if isinstance(told.news, Charge):
        await _check_amount(conn, make_id, day, payment, told.news)
    return before != after


async def _check_amount(conn: Connection, make_id: MakeId, day: Day, payment: Payment, charge: Charge) -> None:
    known = await find_payment_of_capture(conn, day.organization_id, day.provider, charge.capture_reference or "")
    if known is not None and known.captured_minor != charge.captured_minor:
        detail = f"We say {known.captured_minor}, the provider says {charge.captured_minor}, in minor units."
        case = NewCase("amount_differs", day.provider, charge.reference, detail, payment)
        await open_case(conn, make_id, day.organization_id, case)


async def _payment_of(conn: Connection, day: Day, told: Told) -> Payment | None:
    if told.payment_id is not None:
        payment = await load_payment(conn, day.organization_id, told.payment_id)
        return payment if payment is not None and payment.provider == day.provider else None
    return await find_payment_of_capture(conn, day.organization_id, day.provider, told.capture_reference or "")


async def _state(conn: Connection, payment: Payment) -> object:
    ids = (payment.organization_id, payment.order_id)
    return await load_payments(conn, *ids), await load_refunds(conn, *ids), await load_disputes(conn, *ids)


async def _look_for_missing(pool: Pool, make_id: MakeId, providers: Providers, day: Day, told: Sequence[Told]) -> int:
    """Ask about what we say of the day and the provider's list does not; what it denies becomes a case."""
    captures = {one.news.capture_reference for one in told if isinstance(one.news, Charge)}
    references = {one.news.reference for one in told}
    async with connection(pool, day.organization_id) as conn:
        payments = await writes.captured_between(conn, day.organization_id, day.provider, *day.span)
        refunds = await writes.refunded_between(conn, day.organization_id, day.provider, *day.span)
    healed = 0
    for payment in payments:
        if payment.capture_reference not in captures:
            healed += await _ask_payment(pool, make_id, providers, payment)
    for refund, payment in refunds:
        if refund.provider_reference not in references:
            healed += await _ask_refund(pool, make_id, providers, payment, refund)
    return healed


async def _ask_payment(pool: Pool, make_id: MakeId, providers: Providers, payment: Payment) -> bool:
    charge = await providers.named(payment.provider).fetch(attempt_of(payment))
    async with transaction(pool, payment.organization_id) as conn:
        if charge is not None and charge.status is ChargeStatus.CAPTURED:
            settled = await settle_payment(conn, make_id, payment.organization_id, payment.payment_id, charge)
            return settled != payment
        subject = payment.capture_reference or str(payment.payment_id)
        detail = f"We say that {payment.captured_minor} in minor units were taken; the provider says they were not."
        case = NewCase("capture_missing", payment.provider, subject, detail, payment)
        await open_case(conn, make_id, payment.organization_id, case)
    return False


async def _ask_refund(pool: Pool, make_id: MakeId, providers: Providers, payment: Payment, refund: Refund) -> bool:
    call = RefundCall(
        charge=attempt_of(payment),
        refund_id=refund.refund_id,
        provider_key=refund.provider_key,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reference=refund.provider_reference,
    )
    try:
        news = await providers.named(payment.provider).refund(call)
    except ProviderRefused as denied:
        async with transaction(pool, payment.organization_id) as conn:
            case = NewCase("refund_missing", payment.provider, str(refund.refund_id), denied.detail, payment)
            await open_case(conn, make_id, payment.organization_id, case)
        return False
    async with transaction(pool, payment.organization_id) as conn:
        settled = await settle_refund(conn, make_id, payment.organization_id, payment.payment_id, news)
    return settled is not None and settled.status is not refund.status


async def _adopt_waiting(pool: Pool, make_id: MakeId) -> None:
    """Announce notices whose payment became known at the very moment they came, and drop what is nobody's."""
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        rows = await writes.adopt_all_waiting(conn)
        facts = [NoticeReceived(row["organization_id"], row["order_id"], row["notice_id"]) for row in rows]
        await append(conn, make_id, facts)
        await writes.drop_strangers(conn)
