"""Opening attempts to pay: their rows and keys are written, and their places held, before any provider is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.events.queries import load_terms_of_sessions
from fullhouse.infra.directory import register
from fullhouse.infra.postgres import Connection
from fullhouse.orders.rules import Order, refuse_unless_pending
from fullhouse.payments.providers.port import Providers, provider_unknown
from fullhouse.payments.queries import load_payments_of_orders
from fullhouse.payments.rules import Payment, refuse_new_attempt, tries_max
from fullhouse.payments.writes import NewPayment, insert_payments
from fullhouse.reservations.deadlines.hold_for import hold_for


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """How a buyer wants to pay: a provider by name, and what it asks for besides."""

    organization_id: UUID
    order_id: UUID
    provider: str
    options: Mapping[str, Any]


class _Wanted(NamedTuple):
    order: Order
    provider: str
    options: Mapping[str, Json]
    attempt: int
    seconds: int


async def check_offered(providers: Providers, organization_id: UUID, name: str) -> None:
    """Raise ``ProviderUnknown`` unless the organization's buyers can pay with the provider. Before a transaction."""
    provider = providers.named(name)
    if not await provider.is_offered(organization_id):
        raise provider_unknown(await providers.offered_to(organization_id))


async def open_attempts(
    conn: Connection, make_id: MakeId, providers: Providers, asked: Sequence[tuple[Order, PaymentRequest]]
) -> list[Payment | DomainError]:
    """Write the rows of attempts and hold the places of each until its deadline and a margin have passed.

    The orders are different ones of one organization, loaded under the locks of their money, which the caller holds.
    The providers are called after the commit. Returns for each its payment, or what is wrong with that one alone:
    ``OrderAlreadyPaid``, ``OrderNotPending``, ``ReservationExpired``, ``PaymentOpen``, ``PaymentDeclined``,
    ``ProviderUnknown`` or what the provider finds wrong with the options.
    """
    organization_id = asked[0][0].organization_id
    attempts = await load_payments_of_orders(conn, organization_id, [order.order_id for order, _ in asked])
    tries = await _tries(conn, [order for order, _ in asked if attempts[order.order_id]])
    outcomes: list[_Wanted | DomainError] = []
    for order, request in asked:
        try:
            outcomes.append(_wanted(providers, order, request, attempts[order.order_id], tries))
        except DomainError as refused:
            outcomes.append(refused)
    wanted = {one.order.reservation_id: one for one in outcomes if isinstance(one, _Wanted)}
    if not wanted:
        return [one for one in outcomes if isinstance(one, DomainError)]
    margin = providers.margin_seconds
    held = await hold_for(conn, organization_id, {id_: one.seconds + margin for id_, one in wanted.items()})
    new = [
        (one.order, _new_payment(make_id(), one, at))
        for id_, one in wanted.items()
        if isinstance(at := held[id_], datetime)
    ]
    payments = await insert_payments(conn, organization_id, new)
    await register(conn, "payment", organization_id, list(payments))
    opened: dict[UUID, Payment | DomainError] = {
        id_: refused for id_, refused in held.items() if not isinstance(refused, datetime)
    }
    opened |= {order.reservation_id: payments[one.payment_id] for order, one in new}
    return [one if isinstance(one, DomainError) else opened[one.order.reservation_id] for one in outcomes]


def _new_payment(payment_id: UUID, wanted: _Wanted, at: datetime) -> NewPayment:
    deadline_at = at + timedelta(seconds=wanted.seconds)
    return NewPayment(payment_id, wanted.attempt, wanted.provider, wanted.options, deadline_at)


async def _tries(conn: Connection, orders: Sequence[Order]) -> Mapping[UUID, int]:
    """Say by session how often a buyer may be declined, for orders with earlier attempts."""
    if not orders:
        return {}
    session_ids = {order.session_id for order in orders}
    terms = await load_terms_of_sessions(conn, orders[0].organization_id, session_ids)
    return {one: tries_max(release_on_decline=one in terms and terms[one].release_on_decline) for one in session_ids}


def _wanted(
    providers: Providers,
    order: Order,
    request: PaymentRequest,
    attempts: Sequence[Payment],
    tries: Mapping[UUID, int],
) -> _Wanted:
    provider = providers.named(request.provider)
    options = provider.check_options(request.options)
    refuse_unless_pending(order)
    if attempts:
        refuse_new_attempt(attempts, tries[order.session_id])
    seconds = max(providers.attempt_seconds, provider.attempt_seconds_min(options))
    return _Wanted(order, request.provider, options, len(attempts) + 1, seconds)
