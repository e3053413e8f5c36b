"""The form that starts a payment: with the simulated provider, or on the page of a real one."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fullhouse.access.http import public
from fullhouse.core.json import Json
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.outbox import this_cause
from fullhouse.infra.postgres import connection
from fullhouse.orders.rules import OrderAlreadyPaid, OrderNotPending
from fullhouse.payments.deliver_simulated_notices import deliver_notices_of
from fullhouse.payments.provider_api import ProvidersDep
from fullhouse.payments.providers.simulated import OUTCOMES, SIMULATED
from fullhouse.payments.queries import load_payments
from fullhouse.payments.rules import PaymentDeclined, PaymentOpen, ProviderUnavailable, ProviderUnknown
from fullhouse.payments.starting.open_attempts import PaymentRequest
from fullhouse.payments.starting.start_payment import start_payment
from fullhouse.reservations.rules import ReservationExpired
from fullhouse.web.pages.form import FormUnreadable, count_in, read_form
from fullhouse.web.pages.origin import check_origin
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.open_order import lead_back, open_order
from fullhouse.web.pages.shop.return_page import remember_payment

_SAID_BY_THE_PAGE = (PaymentOpen, PaymentDeclined, OrderAlreadyPaid, OrderNotPending, ReservationExpired)

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@router.post("/orders/{order_id}/{secret}/pay")
async def post_pay(
    request: Request, order_id: UUID, secret: str, resources: ResourcesDep, providers: ProvidersDep
) -> Response:
    """Start a payment. A form that was made before the latest one only shows how things stand."""
    pool, make_id = resources.pool, resources.make_id
    order = await open_order(pool, order_id, secret)
    check_origin(request, resources.public_url, secret_in_path=True)
    fields = await read_form(request)
    provider = fields.get("provider", SIMULATED)
    options = _options(provider, fields)
    async with connection(pool, order.organization_id) as conn:
        attempts = await load_payments(conn, order.organization_id, order.order_id)
    if count_in(fields, "attempts") != len(attempts):
        return lead_back(order, secret)
    wish = PaymentRequest(order.organization_id, order.order_id, provider, options)
    try:
        payment = await start_payment(pool, make_id, providers, wish)
    except _SAID_BY_THE_PAGE:
        return lead_back(order, secret)
    except (ProviderUnknown, ProviderUnavailable) as refused:
        return lead_back(order, secret, refused)
    if provider == SIMULATED:
        started = {payment.provider_key: this_cause()}
        await deliver_notices_of(pool, make_id, providers, order.organization_id, started)
        return lead_back(order, secret)
    answer = lead_back(order, secret, go=True)
    remember_payment(answer, resources.public_url, order, secret, payment)
    return answer


def _options(provider: str, fields: Mapping[str, str]) -> Mapping[str, Json]:
    if provider != SIMULATED:
        return {}
    if fields.get("outcome") not in OUTCOMES:
        raise FormUnreadable
    return {"outcome": fields["outcome"]}
