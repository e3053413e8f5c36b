"""Paying on Stripe's page: how a buyer gets there and back, and what the page of the order says meanwhile."""

from collections.abc import AsyncIterator

import pytest
from harness.sale import ORDER_KEY
from harness.stripe_sale import StripeSale, stripe_sale
from harness.stripe_simulator.server import running_simulator
from harness.web import client_of, running_app
from pages.browsing import Buyer, Visit

from fullhouse.core.secrets import derive_secret
from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.orders.place_order import PlacedOrder
from fullhouse.payments.rules import PaymentStatus


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[StripeSale]:
    async with running_simulator() as stripe, stripe_sale(pool, stripe) as opened:
        yield opened


@pytest.fixture
async def guest(shop: StripeSale, resources: Resources) -> AsyncIterator[Buyer]:
    app = running_app(resources, simulated_payments=False, stripe_api=shop.stripe.url)
    async with app as running, client_of(running, **{"Accept-Language": "en"}) as client:
        yield Buyer(client)


def path_of(placed: PlacedOrder) -> str:
    return f"/orders/{placed.order.order_id}/{derive_secret(ORDER_KEY, placed.order.order_id)}"


async def begin(guest: Buyer, shop: StripeSale) -> tuple[PlacedOrder, Visit, str]:
    """Order and send the form. Returns the page that the buyer is led to, and Stripe's name of the session."""
    placed = await shop.sale.order()
    page = await guest.open(path_of(placed))
    assert "You pay by card on the page of Stripe." in page.text
    led = await guest.send(page.form("/pay"))
    (payment,) = await shop.sale.payments(placed.order.order_id)
    return placed, led, payment.provider_reference or ""


def url_of(session: str) -> str:
    return f"https://checkout.stripe.example/c/pay/{session}"


async def test_a_buyer_goes_to_stripes_page_comes_back_and_has_tickets(guest: Buyer, shop: StripeSale) -> None:
    placed, led, session = await begin(guest, shop)
    assert led.refresh == f"0;url={url_of(session)}", "a form may not end at another site, so the page leads there"
    assert url_of(session) in led.links
    assert led.answer.headers["referrer-policy"] == "no-referrer"
    looked = await guest.open(path_of(placed))
    assert looked.refresh == f"2;url={path_of(placed)}?looked=1"
    assert "Continue to the payment page" in looked.text

    shop.stripe.books.pay(session)
    back = shop.stripe.books.things[session]["success_url"].removeprefix("http://tickets.example")
    returned = await guest.client.get(back)
    assert (returned.status_code, returned.headers["location"]) == (303, f"{path_of(placed)}?returned=1")
    waiting = await guest.open(returned.headers["location"])
    assert "The payment is on its way." in waiting.text
    assert waiting.refresh == f"2;url={path_of(placed)}?looked=1"
    await shop.deliver()
    assert (await guest.open(path_of(placed))).title == "Thank you! · Fullhouse"


async def test_another_browser_is_told_where_to_look_and_nothing_else(guest: Buyer, shop: StripeSale) -> None:
    placed, _, session = await begin(guest, shop)
    other_placed, _, other_session = await begin(guest, shop)
    back = shop.stripe.books.things[session]["success_url"].removeprefix("http://tickets.example")
    mine = guest.client.cookies.jar
    assert {cookie.path for cookie in mine} == {back, back.replace(*await ids_of(shop, placed, other_placed))}
    assert session != other_session
    forged = [f"paying={placed.order.order_id}.wrong", "paying=x", f"paying={'y' * 300}"]
    others = path_of(other_placed).removeprefix("/orders/").replace("/", ".")
    guest.client.cookies.clear()
    for cookie in (None, *forged, f"paying={others}"):
        page = await guest.open(back, **({"Cookie": cookie} if cookie else {}))
        assert (page.status, page.title) == (200, "Back from the payment page · Fullhouse")
        assert str(placed.order.order_id) not in page.answer.text
        assert page.answer.headers["cache-control"] == "no-store"


async def ids_of(shop: StripeSale, *placed: PlacedOrder) -> tuple[str, str]:
    first, second = [(await shop.sale.payments(one.order.order_id))[0] for one in placed]
    return str(first.payment_id), str(second.payment_id)


async def test_a_declined_card_says_what_to_do_and_the_same_page_takes_another(guest: Buyer, shop: StripeSale) -> None:
    placed, _, session = await begin(guest, shop)
    shop.stripe.books.pay(session, "insufficient_funds")
    await shop.deliver()
    page = await guest.open(path_of(placed))
    assert "There is not enough money on the card. Try another card." in page.text
    assert url_of(session) in page.links
    shop.stripe.books.pay(session)
    await shop.deliver()
    assert (await guest.open(path_of(placed))).title == "Thank you! · Fullhouse"


async def test_a_form_that_is_sent_twice_begins_one_payment_and_cancelling_ends_it_at_stripe(
    guest: Buyer, shop: StripeSale
) -> None:
    placed = await shop.sale.order()
    page = await guest.open(path_of(placed))
    await guest.send(page.form("/pay"))
    again = await guest.send(page.form("/pay"))
    assert again.title == "Waiting for your payment · Fullhouse"
    (payment,) = await shop.sale.payments(placed.order.order_id)
    cancelled = await guest.send(again.form("/cancel"))
    assert cancelled.title == "This order is cancelled · Fullhouse"
    assert (await shop.sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED
    assert shop.stripe.books.things[payment.provider_reference or ""]["status"] == "expired"


async def test_a_provider_that_is_not_offered_is_refused_in_words(guest: Buyer, shop: StripeSale) -> None:
    placed = await shop.sale.order()
    page = await guest.open(path_of(placed))
    refused = await guest.send(page.form("/pay"), {"provider": "nobody"})
    assert "This way to pay is not offered" in refused.text
    assert await shop.sale.payments(placed.order.order_id) == ()
