"""Sending refunds to their providers, until they are done or refused for good."""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.payments.messages import RefundFailed, RefundRequested
from fullhouse.payments.news import RefundNews
from fullhouse.payments.providers.port import Providers, RefundCall
from fullhouse.payments.queries import load_payment, load_refund
from fullhouse.payments.rules import (
    PaymentNotFound,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    Refund,
    RefundNotFailed,
    RefundNotFound,
    RefundStatus,
    retry_seconds,
)
from fullhouse.payments.settle_refund import fail_case, settle_refund
from fullhouse.payments.starting.send_attempts import attempt_of
from fullhouse.payments.writes import (
    claim_refunds,
    lock_order_money,
    postpone_refund,
    record_refund,
    reopen_refund,
    reserve_call,
)

REFUNDS_PER_RUN_MAX = 50
LEASE_SECONDS = 120.0
"""How long a claimed refund is left alone by other processes; one that died is tried again after that."""

_log = get_log("payments")


async def send_refunds(
    pool: Pool, make_id: MakeId, providers: Providers, *, count_max: int = REFUNDS_PER_RUN_MAX
) -> int:
    """Send the refunds that are due and write down how each went. Returns how many succeeded.

    A provider that cannot be reached is tried again, later each time; the key makes it one refund. One that
    refuses for good ends the refund as ``failed``, for somebody to look at.
    """
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        claimed = await claim_refunds(conn, LEASE_SECONDS, count_max)
    sendings = (_send_each(pool, make_id, providers, some) for some in _by_organization(claimed))
    succeeded = 0
    for sent in await asyncio.gather(*sendings, return_exceptions=True):
        if isinstance(sent, BaseException):
            raise sent
        succeeded += sent
    return succeeded


def _by_organization(refunds: Sequence[Refund]) -> Iterable[Sequence[Refund]]:
    groups: dict[UUID, list[Refund]] = {}
    for refund in refunds:
        groups.setdefault(refund.organization_id, []).append(refund)
    return groups.values()


async def _send_each(pool: Pool, make_id: MakeId, providers: Providers, refunds: Sequence[Refund]) -> int:
    """Send refunds of one organization, one after the other, each when its provider's budget of calls has a place."""
    succeeded = 0
    for refund in refunds:
        succeeded += await _send(pool, make_id, providers, refund)
    return succeeded


async def _send(pool: Pool, make_id: MakeId, providers: Providers, refund: Refund) -> bool:
    try:
        news = await _call(pool, providers, refund)
    except (ProviderUnavailable, ProviderUnknown) as lost:
        await _postpone(pool, refund, lost.detail)
        return False
    except ProviderRefused as refused:
        async with transaction(pool, refund.organization_id) as conn:
            await _fail(conn, make_id, refund, refused.detail)
        return False
    async with transaction(pool, refund.organization_id) as conn:
        settled = await settle_refund(conn, make_id, refund.organization_id, refund.payment_id, news)
    if settled is not None and settled.status is RefundStatus.REQUESTED:
        await _postpone(pool, refund, "the provider has not done it yet")
    return settled is not None and settled.status is RefundStatus.SUCCEEDED


async def _fail(conn: Connection, make_id: MakeId, refund: Refund, error: str) -> None:
    """End a refund that the provider refused for good, unless other news of it came meanwhile."""
    await lock_order_money(conn, refund.organization_id, refund.order_id)
    now = await load_refund(conn, refund.organization_id, refund.refund_id)
    if now is None or now.status is not RefundStatus.REQUESTED or now.provider_key != refund.provider_key:
        return
    _log.error("refund_refused", refund_id=str(refund.refund_id), detail=error)
    failed = await record_refund(conn, now, RefundStatus.FAILED, error=error)
    payment = await load_payment(conn, refund.organization_id, refund.payment_id)
    if payment is not None:
        await fail_case(conn, make_id, payment, failed)
    await append(conn, make_id, [RefundFailed(failed)])


async def _call(pool: Pool, providers: Providers, refund: Refund) -> RefundNews:
    async with connection(pool, refund.organization_id) as conn:
        payment = await load_payment(conn, refund.organization_id, refund.payment_id)
    if payment is None:
        raise PaymentNotFound
    per_second = providers.refunds_per_second.get(payment.provider)
    if per_second is not None:
        async with connection(pool, refund.organization_id) as conn:
            wait = await reserve_call(conn, refund.organization_id, payment.provider, per_second)
        await asyncio.sleep(min(wait, LEASE_SECONDS / 2))
    call = RefundCall(
        charge=attempt_of(payment),
        refund_id=refund.refund_id,
        provider_key=refund.provider_key,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reference=refund.provider_reference,
    )
    return await providers.named(payment.provider).refund(call)


async def _postpone(pool: Pool, refund: Refund, error: str) -> None:
    _log.warning("refund_postponed", refund_id=str(refund.refund_id), attempts=refund.attempts, error=error)
    async with connection(pool, refund.organization_id) as conn:
        await postpone_refund(conn, refund, retry_seconds(refund.attempts), error)


async def retry_refund(conn: Connection, make_id: MakeId, organization_id: UUID, refund_id: UUID) -> Refund:
    """Put a failed refund back to ``requested``, under a new key, when what stood in its way is put right.

    Raises ``RefundNotFound`` and ``RefundNotFailed``.
    """
    known = await load_refund(conn, organization_id, refund_id)
    if known is None:
        raise RefundNotFound
    await lock_order_money(conn, organization_id, known.order_id)
    refund = await reopen_refund(conn, organization_id, refund_id)
    if refund is None:
        raise RefundNotFailed(refund_id=str(refund_id), refund_status=known.status.value)
    await append(conn, make_id, [RefundRequested(refund)])
    act = Act("refund.retry", "refund", refund_id, {"order_id": str(refund.order_id)})
    await record(conn, organization_id, act)
    return refund
