"""The page that a provider leads buyers back to, from its own page.

Its address carries no secret, since the provider knows it. The browser in which the payment was begun has a cookie for
this one address, and is led on to the page of its order. Any other sees only where to look.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from fullhouse.access.http import public
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.postgres import connection
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.queries import load_payment
from fullhouse.payments.rules import Payment
from fullhouse.web.pages.render import PRIVATE_HEADERS, render_page
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.open_order import open_order

COOKIE = "paying"
COOKIE_SECONDS = 86_400

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@router.get("/payments/{payment_id}/return")
async def get_return_page(
    request: Request,
    payment_id: UUID,
    resources: ResourcesDep,
) -> Response:
    """Lead a buyer back to the order. What the provider decided is not read from here: a notice tells it."""
    order_id, _, secret = request.cookies.get(COOKIE, "").partition(".")
    try:
        order = await open_order(resources.pool, UUID(order_id), secret)
    except (ValueError, OrderNotFound):
        return render_page(request, "returned.html", {}, headers=PRIVATE_HEADERS)
    async with connection(resources.pool, order.organization_id) as conn:
        payment = await load_payment(conn, order.organization_id, payment_id)
    if payment is None or payment.order_id != order.order_id:
        return render_page(request, "returned.html", {}, headers=PRIVATE_HEADERS)
    return RedirectResponse(f"/orders/{order_id}/{secret}?returned=1", 303, headers=dict(PRIVATE_HEADERS))


def remember_payment(response: Response, public_url: str, order: Order, secret: str, payment: Payment) -> None:
    """Leave the cookie that leads back, in the browser of the order's holder, for the return address alone."""
    response.set_cookie(
        COOKIE,
        f"{order.order_id}.{secret}",
        max_age=COOKIE_SECONDS,
        path=f"/payments/{payment.payment_id}/return",
        httponly=True,
        # A provider's page leads here from another site, by a link that is followed: strict would not be sent.
        samesite="lax",
        secure=public_url.startswith("https:"),
    )
