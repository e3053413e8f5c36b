"""Paying with Stripe: what buyers, cards, networks and Stripe do to a payment, spoken over HTTP by Stripe's library."""

import json
from datetime import timedelta
from itertools import permutations

import pytest
from harness.stripe_sale import StripeSale
from harness.stripe_simulator.books import DECLINES

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.providers.stripe import API_VERSION, HOSTED_SECONDS_MIN
from fullhouse.payments.rules import NoticeRefused, PaymentStatus
from fullhouse.reservations.expire_reservations import expire_reservations

HELD = (10, 2, 0, 0)
SOLD = (10, 0, 2, 0)
FREE = (10, 0, 0, 0)


async def is_paid(shop: StripeSale, order_id: object) -> bool:
    order = await shop.sale.show(order_id)  # pyright: ignore[reportArgumentType]
    units = await shop.sale.live_units(order.order_id)
    assert (order.status is OrderStatus.PAID) == (units == 2)
    return units == 2


@pytest.mark.parametrize("form", ["hosted_page", "payment_intent"])
async def test_a_buyer_pays(shop_with_stripe: StripeSale, form: str) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start(form)
    step = payment.next_step or {}
    if form == "hosted_page":
        assert step["type"] == "redirect"
        assert str(step["url"]).startswith("https://checkout.stripe.")
        assert str(payment.provider_reference) in str(step["url"])
    else:
        assert (step["type"], step["publishable_key"]) == ("stripe_payment_intent", "pk_test_simulated12345678")
    await shop.pay(payment)
    await shop.deliver()
    assert await is_paid(shop, order_id)
    assert await shop.sale.balances() == {"provider:stripe": 5000, "sales": -5000}
    assert await shop.account.taken_minor() == 5000
    paid = await shop.sale.payment(payment.payment_id)
    assert (paid.status, paid.reason, paid.captured_minor) == (PaymentStatus.SUCCEEDED, None, 5000)


@pytest.mark.parametrize("form", ["hosted_page", "payment_intent"])
async def test_nothing_of_who_paid_is_kept_and_no_secret_once_the_attempt_has_ended(
    shop_with_stripe: StripeSale, form: str
) -> None:
    shop = shop_with_stripe
    _, payment = await shop.order_and_start(form)
    await shop.pay(payment, "insufficient_funds")
    await shop.pay(payment)
    told = json.dumps(shop.stripe.books.events)
    assert "canary-mail" in told
    assert "_secret_" in told
    await shop.deliver()
    tables = ("payments", "payment_notices", "outbox")
    for table in tables:
        rows = await shop.sale.pool.fetch(
            f"SELECT t::text AS row FROM {table} t WHERE organization_id = $1", shop.organization_id
        )
        assert table == "outbox" or rows
        assert not [row["row"] for row in rows if any(word in row["row"] for word in ("anary", "+351", "_secret_"))]


async def test_each_call_that_makes_something_carries_its_key_and_the_pinned_version(
    shop_with_stripe: StripeSale,
) -> None:
    shop = shop_with_stripe
    order_id, _ = await shop.order_and_start()
    posts = [(path, key) for method, path, key, _ in shop.stripe.calls if method == "POST"]
    assert posts == [("/v1/checkout/sessions", f"{order_id}:1:payment")]
    assert {version for _, _, _, version in shop.stripe.calls} == {API_VERSION}


async def test_the_hold_follows_checkouts_deadline(shop_with_stripe: StripeSale, pool: Pool) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start("hosted_page")
    assert payment.deadline_at - payment.started_at >= timedelta(seconds=HOSTED_SECONDS_MIN - 1)
    session = shop.stripe.books.things[payment.provider_reference or ""]
    assert session["expires_at"] == int(payment.deadline_at.timestamp())
    held = await pool.fetchval(
        "SELECT expires_at FROM reservations WHERE reservation_id = $1",
        (await shop.sale.show(order_id)).reservation_id,
    )
    assert held == payment.deadline_at + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("card_declined", "card_declined"),
        ("insufficient_funds", "insufficient_funds"),
        ("lost_card", "card_declined"),
        ("expired_card", "card_expired"),
        ("incorrect_cvc", "card_details_wrong"),
        ("processing_error", "try_again_later"),
        ("authentication_failed", "authentication_failed"),
    ],
)
async def test_a_declined_card_leaves_the_attempt_open_for_another(
    shop_with_stripe: StripeSale, card: str, reason: str
) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start(None if card in {"lost_card", "expired_card"} else "payment_intent")
    await shop.pay(payment, card)
    await shop.deliver()
    declined = await shop.sale.payment(payment.payment_id)
    assert (declined.status, declined.reason) == (PaymentStatus.STARTED, reason)
    assert await shop.sale.stock() == HELD
    assert await shop.sale.balances() == {}
    await shop.pay(payment)
    await shop.deliver()
    assert await is_paid(shop, order_id)
    assert set(DECLINES) >= {card}


async def test_three_d_secure_keeps_the_places_while_the_buyer_is_asked(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start("payment_intent")
    await shop.pay(payment, "three_d_secure")
    await shop.ask()
    assert (await shop.sale.payment(payment.payment_id)).status is PaymentStatus.STARTED
    assert await shop.sale.stock() == HELD
    await abandon_order(shop.sale.pool, system.make_id, shop.sale.providers, shop.organization_id, order_id)
    assert await shop.account.is_ended(payment.provider_reference or "")
    assert (await shop.sale.stock(), await shop.account.taken_minor()) == (FREE, 0)


async def test_three_d_secure_waits_for_the_buyer_and_then_ends(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start("payment_intent")
    await shop.pay(payment, "three_d_secure")
    await shop.ask()
    assert (await shop.sale.payment(payment.payment_id)).status is PaymentStatus.STARTED
    await shop.pay(payment, "authentication_failed")
    await shop.deliver()
    assert (await shop.sale.payment(payment.payment_id)).reason == "authentication_failed"
    await shop.pay(payment, "three_d_secure")
    await shop.pay(payment)
    await shop.deliver()
    assert await is_paid(shop, order_id)


@pytest.mark.parametrize("form", ["hosted_page", "payment_intent"])
@pytest.mark.parametrize("fault", ["answer_lost", "error_after", "error_before"])
async def test_an_answer_that_is_lost_makes_no_second_charge(
    shop_with_stripe: StripeSale, form: str, fault: str
) -> None:
    shop = shop_with_stripe
    order_id = (await shop.sale.order()).order.order_id
    shop.stripe.faults = [(fault, "sessions|intents")]
    payment = await shop.start(order_id, form)
    kind = "checkout.session" if form == "hosted_page" else "payment_intent"
    made = [thing for thing in shop.stripe.books.things.values() if thing["object"] == kind]
    assert len(made) == 1
    shop.stripe.books.pay(made[0]["id"])
    # Nothing was told: the workers ask, and find what was made by our own id.
    assert (await shop.sale.payment(payment.payment_id)).status is PaymentStatus.STARTED
    await shop.ask()
    assert await is_paid(shop, order_id)
    assert await shop.account.taken_minor() == 5000


async def test_a_provider_that_fails_all_along_keeps_the_places_until_it_answers(
    shop_with_stripe: StripeSale, pool: Pool
) -> None:
    shop = shop_with_stripe
    placed = await shop.sale.order()
    shop.stripe.faults = [("error_before", "v1")] * 8
    payment = await shop.start(placed.order.order_id)
    assert payment.next_step is None
    await shop.sale.end_attempt(payment)
    await shop.ask()
    await shop.sale.lapse(placed)
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() + interval '1 second' WHERE reservation_id = $1",
        placed.order.reservation_id,
    )
    await shop.ask()
    assert await shop.sale.stock() == HELD
    shop.stripe.faults = []
    await shop.ask()
    assert (await shop.sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED


async def test_notices_early_late_five_times_and_in_any_order_end_the_same(
    shop_with_stripe: StripeSale,
) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start()
    await shop.pay(payment, "card_declined")
    await shop.pay(payment)
    kinds = ("payment_intent.payment_failed", "payment_intent.succeeded", "checkout.session.completed")
    events = [event for event in await shop.account.told() if event["type"] in kinds]
    assert [event["type"] for event in events] == list(kinds[: 2 if shop.account.form == "payment_intent" else 3])
    for order in permutations(events):
        await shop.receive(order)
        await shop.sale.work()
        assert await is_paid(shop, order_id)
    assert await shop.sale.balances() == {"provider:stripe": 5000, "sales": -5000}
    assert len(await shop.sale.messages("order.paid")) == 1


async def test_a_notice_before_the_answer_of_the_call_settles(shop_with_stripe: StripeSale, pool: Pool) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start()
    await shop.pay(payment)
    await pool.execute(
        "UPDATE payments SET provider_reference = NULL, next_step = NULL WHERE payment_id = $1", payment.payment_id
    )
    await shop.deliver()
    assert await is_paid(shop, order_id)


@pytest.mark.parametrize("signing", [{"secret": "whsec_guessed12345"}, {"at": 0.0}])
async def test_a_notice_that_is_badly_signed_or_old_is_refused(shop_with_stripe: StripeSale, signing: object) -> None:
    shop = shop_with_stripe
    _, payment = await shop.order_and_start()
    await shop.pay(payment)
    with pytest.raises(NoticeRefused):
        await shop.receive((await shop.account.told())[-1:], **signing)  # pyright: ignore[reportCallIssue]
    assert await shop.sale.messages("payment.notice_received") == []


async def test_a_notice_that_never_comes_is_healed_by_asking(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start()
    await shop.pay(payment)
    assert await shop.ask() == 1
    assert await is_paid(shop, order_id)


@pytest.mark.parametrize("form", ["hosted_page", "payment_intent"])
async def test_at_the_deadline_the_attempt_is_ended_before_the_places_are_free(
    shop_with_stripe: StripeSale, pool: Pool, form: str
) -> None:
    shop = shop_with_stripe
    placed = await shop.sale.order()
    payment = await shop.start(placed.order.order_id, form)
    await shop.sale.end_attempt(payment)
    await shop.ask()
    assert await shop.account.is_ended(payment.provider_reference or "")
    assert (await shop.sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED
    await shop.sale.lapse(placed)
    await expire_reservations(pool, system.make_id)
    assert await shop.sale.stock() == FREE


async def test_a_payment_that_won_at_the_deadline_is_honoured(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start()
    await shop.pay(payment)
    await shop.sale.end_attempt(payment)
    await shop.ask()
    assert await is_paid(shop, order_id)
    assert await shop.sale.stock() == SOLD


@pytest.mark.parametrize("form", ["hosted_page", "payment_intent"])
async def test_cancelling_an_order_cancels_at_stripe_first(shop_with_stripe: StripeSale, form: str) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start(form)
    cancelled = await abandon_order(shop.sale.pool, system.make_id, shop.sale.providers, shop.organization_id, order_id)
    assert cancelled.status is OrderStatus.CANCELLED
    assert await shop.account.is_ended(payment.provider_reference or "")
    assert await shop.sale.stock() == FREE


async def test_money_that_comes_after_its_places_were_sold_goes_back(shop_with_stripe: StripeSale, pool: Pool) -> None:
    shop = shop_with_stripe
    placed = await shop.sale.order(2)
    payment = await shop.start(placed.order.order_id)
    await shop.pay(payment)
    # The hold was taken away although the attempt was open, as an operator might, and all places are held by others.
    await shop.sale.lapse(placed)
    await expire_reservations(pool, system.make_id)
    await shop.sale.hold(10)
    await shop.deliver()
    assert (await shop.sale.show(placed.order.order_id)).status is OrderStatus.REFUNDED
    await shop.deliver()
    assert await shop.account.taken_minor() == 0
    assert await shop.sale.balances() == {}


async def test_an_amount_that_stripe_does_not_take_is_a_decline_with_its_reason(
    shop_with_stripe: StripeSale,
) -> None:
    shop = shop_with_stripe
    order_id = (await shop.sale.order(1)).order.order_id
    await shop.sale.pool.execute("UPDATE orders SET total_minor = 20 WHERE order_id = $1", order_id)
    payment = await shop.start(order_id)
    assert (payment.status, payment.reason) == (PaymentStatus.DECLINED, "amount_not_possible")
