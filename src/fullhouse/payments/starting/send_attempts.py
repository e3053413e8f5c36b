"""Sending attempts: the provider is called, with no transaction open, and what it answers is written down."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.payments.providers.port import Attempt, Providers, Started, StartsTogether
from fullhouse.payments.queries import load_named_payments
from fullhouse.payments.rules import (
    Charge,
    ChargeStatus,
    Payment,
    PaymentStatus,
    ProviderRefused,
    ProviderUnavailable,
)
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.starting.writes import Start, record_starts
from fullhouse.payments.writes import lock_order_money

CALLS_MAX = 2

Answer = Started | ProviderUnavailable | ProviderRefused


class Answered(NamedTuple):
    """What a provider answered to the call for a payment."""

    payment: Payment
    answer: Answer


def is_unsent(payment: Payment) -> bool:
    """Say whether the provider is still to be called, or its answer never came."""
    return payment.status is PaymentStatus.STARTED and payment.next_step is None


async def call(providers: Providers, payments: Sequence[Payment]) -> list[Answered]:
    """Call a provider for attempts of one organization with it: in one call, where it takes many, else one by one.

    Safe to repeat, also at the same time: the provider takes one key as one attempt. What it does not answer is asked
    for once more.
    """
    provider = providers.named(payments[0].provider)
    answers: dict[UUID, Answer] = {}
    for _ in range(CALLS_MAX):
        left = [one for one in payments if isinstance(answers.get(one.payment_id, _NOT_ASKED), ProviderUnavailable)]
        if not left:
            break
        attempts = list(map(attempt_of, left))
        if isinstance(provider, StartsTogether):
            said = await provider.start_together(attempts)
        else:
            said = [await _alone(provider.start, attempt) for attempt in attempts]
        answers |= {one.payment_id: answer for one, answer in zip(left, said, strict=True)}
    return [Answered(one, answers[one.payment_id]) for one in payments]


_NOT_ASKED = ProviderUnavailable("It was not asked yet.")


async def _alone(start: Callable[[Attempt], Awaitable[Started]], attempt: Attempt) -> Answer:
    try:
        return await start(attempt)
    except (ProviderUnavailable, ProviderRefused) as error:
        return error


async def record_answers(
    pool: Pool, make_id: MakeId, organization_id: UUID, answered: Sequence[Answered]
) -> dict[UUID, Payment]:
    """Write down what providers answered; return the payments as they are then, by id.

    Where no answer came, the attempt stays open without a next step, and a notice, or ``expire_attempts``, finds out
    what became of it.
    """
    payments = {one.payment.payment_id: one.payment for one in answered}
    open_ones = [start for one in answered if (start := _plain_start(one)) is not None]
    if open_ones:
        async with connection(pool, organization_id) as conn:
            payments |= await _record(conn, organization_id, open_ones)
    for one in answered:
        if _plain_start(one) is None and not isinstance(one.answer, ProviderUnavailable):
            async with transaction(pool, organization_id) as conn:
                payments[one.payment.payment_id] = await _settle(conn, make_id, one.payment, one.answer)
    return payments


def _plain_start(answered: Answered) -> Start | None:
    """Return what is to be written where the provider says no more than that the attempt has begun: mostly so."""
    if not isinstance(answered.answer, Started):
        return None
    charge = answered.answer.charge
    if charge.status is not ChargeStatus.OPEN or charge.reason or charge.capture_reference:
        return None
    return Start(answered.payment.payment_id, charge.reference, answered.answer.next_step)


async def _record(conn: Connection, organization_id: UUID, starts: Sequence[Start]) -> dict[UUID, Payment]:
    recorded = await record_starts(conn, organization_id, starts)
    # What is open and was not declined settles nothing; a notice may have been faster than the answer.
    others = [one.payment_id for one in starts if one.payment_id not in recorded]
    return recorded | (await load_named_payments(conn, organization_id, others) if others else {})


async def _settle(conn: Connection, make_id: MakeId, payment: Payment, answer: Started | ProviderRefused) -> Payment:
    organization_id, payment_id = payment.organization_id, payment.payment_id
    if isinstance(answer, ProviderRefused):
        reason = str(answer.fields.get("reason", "not_possible"))
        charge = Charge(payment.provider_key, ChargeStatus.DECLINED, reason=reason)
    else:
        charge = answer.charge
        await lock_order_money(conn, organization_id, payment.order_id)
        await record_starts(conn, organization_id, [Start(payment_id, charge.reference, answer.next_step)])
    return await settle_payment(conn, make_id, organization_id, payment_id, charge)


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
