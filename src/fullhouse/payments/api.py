"""Routes of payments: start one, look at them, cancel an order that is not paid, and what providers send."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple, cast
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, ValidationError
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import find_holder, holder_of, holder_or_member, requires, secret_at_a_glance
from fullhouse.access.policies.order import opens
from fullhouse.access.rules import Asker, Grant
from fullhouse.core.json import Json
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot import app_state, hot_route, json_headers, send_answer
from fullhouse.infra.hot_reading import (
    BodyReader,
    header_reader,
    is_json,
    is_plain_json,
    must_be_valid,
    read_field,
    read_header,
    read_id,
    read_path_id,
    read_raw,
)
from fullhouse.infra.http import ApiModel, IdempotencyKey, ResourcesDep, problems
from fullhouse.infra.idempotency import fingerprint
from fullhouse.infra.postgres import connection, transaction
from fullhouse.orders.answers import OrderAnswer, order_answer
from fullhouse.orders.find_order import find_order
from fullhouse.orders.queries import load_contact, load_lines
from fullhouse.orders.rules import OrderNotFound
from fullhouse.payments.answers import PaymentAnswer, PaymentsAnswer, RefundAnswer, payment_answer, refund_answer
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.provider_api import ProvidersDep
from fullhouse.payments.queries import load_payments, load_refunds
from fullhouse.payments.send_refunds import retry_refund
from fullhouse.payments.starting.payment_desk import PaymentDesk
from fullhouse.payments.starting.payment_wish import PaymentStarted, PaymentWish

REMEMBERED_BYTES_MAX = 200
"""Bodies up to this size are remembered with what they ask for: most are equal."""

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


def pay_at_a_glance(asked: Asked) -> bool:
    """Start to pay with a body that many send."""
    raw = asked.body
    if not is_plain_json(asked.fields) or len(raw) > REMEMBERED_BYTES_MAX:
        return False
    wanted, secret = _read_again(raw), secret_at_a_glance(asked, "Order")
    if wanted is None or secret is None:
        return False
    order_id = read_id(asked.path_params, "order_id")
    key = read_field(_key, asked.fields.get(_key.name))

    async def answer() -> None:
        asked.answer(201, *_shown(await _start(asked.state.payment_desk, order_id, secret, wanted, key)))

    asked.go_on(answer())
    return True


@hot_route(
    router,
    "POST /orders/{order_id}/payments",
    takes={
        "order_id": UUID,
        "body": StartPayment,
        "secret": Annotated[str, holder_of("Order")],
        "key": IdempotencyKey,
    },
    at_once=True,
    glance=pay_at_a_glance,
    response_model=PaymentAnswer,
    status_code=201,
    responses=problems(404, 409),
)
async def post_payment(scope: Scope, receive: Receive, send: Send) -> None:
    """Start to pay an order. How it ends is told by the order: look at it again."""
    raw = await read_raw(receive)
    wanted = _read_again(raw) if is_json(scope) and len(raw) <= REMEMBERED_BYTES_MAX else None
    read = None if wanted else _body.read(scope, raw)
    secret = await find_holder(scope, "Order")
    order_id = read_path_id(scope, "order_id")
    key = read_header(_key, scope)
    wanted = wanted or _wanted(must_be_valid(cast("StartPayment", read)))
    started = await _start(app_state(scope).payment_desk, order_id, secret, wanted, key)
    await send_answer(send, 201, *_shown(started))


_body = BodyReader(StartPayment)
_key = header_reader("Idempotency-Key", IdempotencyKey)


class _Wanted(NamedTuple):
    provider: str
    options: Mapping[str, Json]
    fingerprint: bytes


async def _start(desk: PaymentDesk, order_id: UUID, secret: str, wanted: _Wanted, key: str | None) -> PaymentStarted:
    return await desk.start(PaymentWish(order_id, secret, wanted.provider, wanted.options, key, wanted.fingerprint))


def _shown(started: PaymentStarted) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Write the answer, with its headers."""
    return to_json(started.answer), json_headers(replayed=started.replayed)


def _wanted(body: StartPayment) -> _Wanted:
    options = body.model_dump(mode="json", exclude={"provider"}, exclude_none=True)
    return _Wanted(body.provider, options, fingerprint(body.model_dump(mode="json")))


@lru_cache(maxsize=500)
def _read_again(raw: bytes) -> _Wanted | None:
    """Read a body that many send, once; None where it is not valid, or was not read by the fast parser."""
    try:
        return _wanted(_body.adapter.validate_json(raw))
    except ValidationError:
        return None


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
