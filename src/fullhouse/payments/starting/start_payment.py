"""Starting a payment: its row and its keys are written first, then the provider is called."""

from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import OrderNotFound
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.queries import load_payment
from fullhouse.payments.rules import Payment, PaymentNotFound
from fullhouse.payments.starting.open_attempts import PaymentRequest, check_offered, open_attempts
from fullhouse.payments.starting.send_attempts import call, is_unsent, record_answers
from fullhouse.payments.writes import lock_order_money


async def start_payment(pool: Pool, make_id: MakeId, providers: Providers, request: PaymentRequest) -> Payment:
    """Open an attempt, commit, and call the provider, with no transaction open while it answers.

    A process that dies between the two leaves an attempt that ``expire_attempts`` ends. Raises as
    ``open_attempt`` does.
    """
    await check_offered(providers, request.organization_id, request.provider)
    async with transaction(pool, request.organization_id) as conn:
        payment = await open_attempt(conn, make_id, providers, request)
    return await send_attempt(pool, make_id, providers, payment.organization_id, payment.payment_id)


async def open_attempt(conn: Connection, make_id: MakeId, providers: Providers, request: PaymentRequest) -> Payment:
    """Open one attempt, as ``open_attempts`` opens many. Raises ``OrderNotFound``, and what that returns."""
    await lock_order_money(conn, request.organization_id, request.order_id)
    order = await load_order(conn, request.organization_id, request.order_id)
    if order is None:
        raise OrderNotFound
    (outcome,) = await open_attempts(conn, make_id, providers, [(order, request)])
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


async def send_attempt(
    pool: Pool, make_id: MakeId, providers: Providers, organization_id: UUID, payment_id: UUID
) -> Payment:
    """Call the provider for an open attempt, and write down what it answers. Safe to repeat, also at the same time."""
    async with connection(pool, organization_id) as conn:
        payment = await load_payment(conn, organization_id, payment_id)
    if payment is None:
        raise PaymentNotFound
    if not is_unsent(payment):
        return payment
    recorded = await record_answers(pool, make_id, organization_id, await call(providers, [payment]))
    return recorded[payment_id]
