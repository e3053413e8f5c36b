"""Routes of payments: start one, look at them, cancel an order that is not paid, and what providers send."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from fullhouse.access.http import holder_of, holder_or_member, requires
from fullhouse.access.policies.order import opens
from fullhouse.access.rules import Asker, Grant
from fullhouse.core.secrets import same_hash
from fullhouse.infra.http import (
    ApiModel,
    IdempotencyKey,
    Instant,
    ResourcesDep,
    claim_for,
    idempotent,
    problems,
)
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.orders.answers import OrderAnswer, order_answer
from fullhouse.orders.find_order import find_order
from fullhouse.orders.queries import load_contact, load_lines
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.deliver_simulated_notices import deliver_simulated_notices
from fullhouse.payments.provider_api import ProvidersDep
from fullhouse.payments.providers.simulated import SIMULATED
from fullhouse.payments.queries import load_payments, load_refunds
from fullhouse.payments.rules import Payment, PaymentStatus, Refund, RefundStatus
from fullhouse.payments.send_refunds import retry_refund
from fullhouse.payments.start_payment import PaymentRequest, check_offered, open_attempt, send_attempt

router = APIRouter(tags=["payments"])

ProviderName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
Member = Annotated[Asker, holder_or_member("Order", "order:read")]
Canceller = Annotated[Asker, holder_or_member("Order", "order:cancel")]


class StartPayment(ApiModel):
    """How the buyer pays. ``outcome`` goes with the simulated provider, and is ``succeed`` where it is left out.

    ``form`` goes with Stripe: ``hosted_page`` (where it is left out) leads to Stripe's page, ``payment_intent`` is for
    a page of one's own.
    """

    provider: ProviderName
    form: Literal["hosted_page", "payment_intent"] | None = None
    outcome: Literal["succeed", "decline", "late", "lost_answer"] | None = None


class PaymentAnswer(ApiModel):
    """One attempt to pay. ``next_step`` says what the buyer does.

    ``{"type": "wait"}`` means that news will come; ``{"type": "redirect", "url": …}`` leads to the provider's page.
    ``reason`` says why the last card was declined; while the attempt is open, another one can be tried.
    """

    id: UUID
    order_id: UUID
    attempt: int
    provider: str
    status: PaymentStatus
    amount_minor: int
    currency: str
    next_step: dict[str, Any] | None
    reason: str | None
    started_at: Instant
    deadline_at: Instant


class RefundAnswer(ApiModel):
    """Money on its way back."""

    id: UUID
    order_id: UUID
    payment_id: UUID
    status: RefundStatus
    amount_minor: int
    currency: str
    reason: str


class PaymentsAnswer(ApiModel):
    """The payments of an order by attempt, and its refunds."""

    items: list[PaymentAnswer]
    refunds: list[RefundAnswer]


def payment_answer(payment: Payment, *, to_holder: bool = True) -> PaymentAnswer:
    """Show one payment. Until the provider answered, the next step is to wait.

    The next step may hold a secret with which to pay: members see of which kind it is, and no more.
    """
    step = dict(payment.next_step or {"type": "wait"})
    shown = step if to_holder else {"type": step["type"]}
    return PaymentAnswer(
        id=payment.payment_id,
        order_id=payment.order_id,
        attempt=payment.attempt,
        provider=payment.provider,
        status=payment.status,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        next_step=shown if payment.status is PaymentStatus.STARTED else None,
        reason=payment.reason,
        started_at=payment.started_at,
        deadline_at=payment.deadline_at,
    )


def refund_answer(refund: Refund) -> RefundAnswer:
    """Show one refund."""
    return RefundAnswer(
        id=refund.refund_id,
        order_id=refund.order_id,
        payment_id=refund.payment_id,
        status=refund.status,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reason=refund.reason,
    )


@router.post("/orders/{order_id}/payments", status_code=201, responses=problems(404, 409))
async def post_payment(  # noqa: PLR0913, PLR0917 (FastAPI fills the parameters by name)
    order_id: UUID,
    body: StartPayment,
    response: Response,
    secret: Annotated[str, holder_of("Order")],
    resources: ResourcesDep,
    providers: ProvidersDep,
    key: IdempotencyKey = None,
) -> PaymentAnswer:
    """Start to pay an order. How it ends is told by the order: look at it again."""
    pool, make_id = resources.pool, resources.make_id
    order = await _open(pool, order_id, secret)
    options = body.model_dump(mode="json", exclude={"provider"}, exclude_none=True)
    request = PaymentRequest(order.organization_id, order_id, body.provider, options)

    await check_offered(providers, request)

    async def effect(conn: Connection) -> PaymentAnswer:
        return payment_answer(await open_attempt(conn, make_id, providers, request))

    claim = claim_for(order.organization_id, f"payments:{order_id}", key, body)
    answer = await idempotent(pool, order.organization_id, response, claim, effect, model=PaymentAnswer)
    payment = await send_attempt(pool, make_id, providers, order.organization_id, answer.id)
    if payment.provider == SIMULATED:
        await deliver_simulated_notices(
            pool, make_id, providers, organization_id=order.organization_id, payment_id=answer.id
        )
    return answer.model_copy(update={"next_step": payment.next_step or answer.next_step})


@router.get("/orders/{order_id}/payments", responses=problems(404))
async def get_payments(order_id: UUID, asker: Member, resources: ResourcesDep) -> PaymentsAnswer:
    """Look at the payments and refunds of an order."""
    order = await find_order(resources.pool, order_id)
    if not opens(asker, order.organization_id, order.secret_hash):
        raise OrderNotFound
    async with connection(resources.pool, order.organization_id) as conn:
        payments = await load_payments(conn, order.organization_id, order_id)
        refunds = await load_refunds(conn, order.organization_id, order_id)
    return PaymentsAnswer(
        items=[payment_answer(payment, to_holder=asker.secret is not None) for payment in payments],
        refunds=[refund_answer(one) for one in refunds],
    )


@router.post("/orders/{order_id}/cancel", responses=problems(404, 409))
async def post_cancel(
    order_id: UUID, asker: Canceller, resources: ResourcesDep, providers: ProvidersDep
) -> OrderAnswer:
    """Cancel an order that is not paid. An open payment is cancelled at its provider first; repeating is safe."""
    pool = resources.pool
    known = await find_order(pool, order_id)
    if not opens(asker, known.organization_id, known.secret_hash):
        raise OrderNotFound
    order = await abandon_order(pool, resources.make_id, providers, known.organization_id, order_id)
    async with transaction(pool, order.organization_id) as conn:
        lines = await load_lines(conn, order.organization_id, order_id)
        contact = await load_contact(conn, order.organization_id, order_id)
    return order_answer(order, lines, contact, None)


@router.post("/refunds/{refund_id}/retry", responses=problems(404, 409))
async def post_retry(
    refund_id: UUID, grant: Annotated[Grant, requires("refund:write")], resources: ResourcesDep
) -> RefundAnswer:
    """Send a refund again that its provider had refused, when what stood in its way is put right."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        return refund_answer(await retry_refund(conn, resources.make_id, grant.organization_id, refund_id))


async def _open(pool: Pool, order_id: UUID, secret: str) -> Order:
    order = await find_order(pool, order_id)
    if not same_hash(secret, order.secret_hash):
        raise OrderNotFound
    return order
