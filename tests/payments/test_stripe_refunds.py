"""Refunds and disputes at Stripe: partial and whole, pending and failing, by hand, and what banks ask back."""

from itertools import permutations

import pytest
from harness.books import broken_books
from harness.charges import ORDER_FEE, PLATFORM, SERVICE, VAT, declare
from harness.stripe_sale import StripeSale

from fullhouse.aftersales.follow_refund import follow_refund
from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.infra import system
from fullhouse.infra.postgres import transaction
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.news import DisputeStatus
from fullhouse.payments.queries import load_disputes
from fullhouse.payments.reconcile_days import Day, reconcile_day
from fullhouse.payments.refundable import PaymentDisputed
from fullhouse.payments.rules import Payment, RefundStatus
from fullhouse.payments.send_refunds import retry_refund


async def paid(shop: StripeSale, form: str | None = None, card: str = "good") -> Payment:
    order_id, payment = await shop.order_and_start(form)
    await shop.pay(payment, card)
    await shop.deliver()
    assert (await shop.sale.show(order_id)).status is OrderStatus.PAID
    return await shop.sale.payment(payment.payment_id)


async def refund(shop: StripeSale, payment: Payment, amount_minor: int | None = None) -> None:
    async with transaction(shop.sale.pool, shop.organization_id) as conn:
        wish = RefundWish(amount_minor=amount_minor)
        await refund_order(conn, system.make_id, shop.organization_id, payment.order_id, wish)


async def statuses(shop: StripeSale, payment: Payment) -> list[RefundStatus]:
    return [one.status for one in await shop.sale.refunds(payment.order_id)]


@pytest.mark.parametrize("form", ["hosted_page", "payment_intent"])
async def test_a_refund_in_parts_and_then_the_rest(shop_with_stripe: StripeSale, form: str) -> None:
    shop = shop_with_stripe
    payment = await paid(shop, form)
    await refund(shop, payment, 1200)
    assert await shop.send_refunds() == 1
    await refund(shop, payment)
    assert await shop.send_refunds() == 1
    await shop.deliver()
    assert await statuses(shop, payment) == [RefundStatus.SUCCEEDED] * 2
    assert await shop.account.refunds() == [1200, 3800]
    assert await shop.account.taken_minor() == 0
    assert await shop.sale.balances() == {}
    assert len(await shop.sale.messages("refund.succeeded")) == 2


@pytest.mark.parametrize("fault", ["answer_lost", "error_after", "error_before"])
async def test_a_refund_whose_answer_is_lost_is_made_once(shop_with_stripe: StripeSale, fault: str) -> None:
    shop = shop_with_stripe
    payment = await paid(shop)
    shop.stripe.faults = [(fault, "^/v1/refunds$")]
    await refund(shop, payment)
    for _ in range(3):
        await shop.send_refunds()
    assert await statuses(shop, payment) == [RefundStatus.SUCCEEDED]
    assert await shop.account.refunds() == [5000]
    assert await shop.sale.balances() == {}


async def test_a_refund_that_stays_pending_is_asked_for_and_not_made_again(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    payment = await paid(shop)
    shop.stripe.books.refunds_end_as = "pending"
    await refund(shop, payment)
    for _ in range(3):
        assert await shop.send_refunds() == 0
    assert await statuses(shop, payment) == [RefundStatus.REQUESTED]
    assert await shop.sale.balances() == {"provider:stripe": 5000, "refunds": -5000}
    (reference,) = [one.provider_reference for one in await shop.sale.refunds(payment.order_id)]
    shop.stripe.books.end_refund(reference or "", "succeeded")
    assert await shop.send_refunds() == 1
    await shop.deliver()
    assert await shop.account.refunds() == [5000]
    assert await shop.sale.balances() == {}


@pytest.mark.parametrize("told", ["asked", "noticed"])
async def test_a_refund_that_fails_days_later_is_owed_again_and_can_be_sent_again(
    shop_with_stripe: StripeSale, told: str
) -> None:
    shop = shop_with_stripe
    payment = await paid(shop)
    if told == "asked":
        shop.stripe.books.refunds_end_as = "pending"
    await refund(shop, payment)
    await shop.send_refunds()
    await shop.deliver()
    (before,) = await shop.sale.refunds(payment.order_id)
    shop.stripe.books.end_refund(before.provider_reference or "", "failed")
    if told == "asked":
        await shop.send_refunds()
    await shop.deliver()
    assert await statuses(shop, payment) == [RefundStatus.FAILED]
    assert await shop.sale.balances() == {"provider:stripe": 5000, "refunds": -5000}
    assert await cases(shop) == ["refund_failed"]
    shop.stripe.books.refunds_end_as = "succeeded"
    async with transaction(shop.sale.pool, shop.organization_id) as conn:
        await retry_refund(conn, system.make_id, shop.organization_id, before.refund_id)
    await shop.send_refunds()
    # The news of the first try, once more: they are old.
    await shop.receive(shop.stripe.books.events)
    await shop.sale.work()
    assert await statuses(shop, payment) == [RefundStatus.SUCCEEDED]
    assert await shop.sale.balances() == {}
    assert await cases(shop) == []
    assert await shop.account.taken_minor() == 0


async def cases(shop: StripeSale) -> list[str]:
    rows = await shop.sale.pool.fetch(
        "SELECT kind FROM money_cases WHERE organization_id = $1 AND closed_at IS NULL", shop.organization_id
    )
    return [row["kind"] for row in rows]


async def test_news_of_a_refund_that_its_bank_sends_back_end_the_same_in_any_order(
    shop_with_stripe: StripeSale,
) -> None:
    shop = shop_with_stripe
    payment = await paid(shop, card="refund_fails")
    await refund(shop, payment)
    await shop.send_refunds()
    (one,) = await shop.sale.refunds(payment.order_id)
    await shop.account.fail_refund(one.provider_reference or "")
    events = [event for event in await shop.account.told() if event["type"].startswith("refund.")]
    for number, order in enumerate(permutations(events)):
        fresh = [{**event, "id": f"{event['id']}_{number}"} for event in order]
        await shop.receive(fresh)
        await shop.sale.work()
        assert await statuses(shop, payment) == [RefundStatus.FAILED]
        assert await shop.sale.balances() == {"provider:stripe": 5000, "refunds": -5000}


@pytest.mark.parametrize("amount", [5000, 1000])
async def test_a_refund_by_hand_is_entered_and_a_whole_one_voids_the_tickets(
    shop_with_stripe: StripeSale, amount: int
) -> None:
    shop = shop_with_stripe
    payment = await paid(shop)
    await shop.account.refund_by_hand(payment.capture_reference or "", amount)
    await shop.deliver()
    (entered,) = await shop.sale.refunds(payment.order_id)
    assert (entered.status, entered.amount_minor, entered.reason) == (RefundStatus.SUCCEEDED, amount, "by_hand")
    left = 5000 - amount
    assert await shop.sale.balances() == ({"provider:stripe": left, "sales": -left} if left else {})
    (message,) = await shop.sale.messages("refund.succeeded")
    for _ in range(2):
        async with transaction(shop.sale.pool, shop.organization_id) as conn:
            await follow_refund(conn, system.make_id, message)
    assert await shop.sale.live_units(payment.order_id) == (2 if left else 0)
    assert await shop.sale.stock() == ((10, 0, 2, 0) if left else (10, 0, 0, 0))
    assert len(await shop.sale.refunds(payment.order_id)) == 1


async def test_a_failed_refund_that_is_made_by_hand_is_that_refund(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    payment = await paid(shop)
    dispute = shop.stripe.books.open_dispute(payment.capture_reference or "")["id"]
    await refund(shop, payment)
    await shop.send_refunds()
    assert await statuses(shop, payment) == [RefundStatus.FAILED]
    await shop.account.end_dispute(dispute, "won")
    await shop.account.refund_by_hand(payment.capture_reference or "", None)
    await shop.deliver()
    assert await statuses(shop, payment) == [RefundStatus.SUCCEEDED]
    assert await shop.sale.balances() == {}
    assert await cases(shop) == []


@pytest.mark.parametrize("end", ["won", "lost"])
async def test_a_dispute_is_opened_and_ends(shop_with_stripe: StripeSale, end: str) -> None:
    shop = shop_with_stripe
    payment = await paid(shop, card="disputed")
    dispute = await shop.account.dispute_of(payment.capture_reference or "")
    await shop.deliver()
    assert await shop.sale.balances() == {"disputes": 5000, "sales": -5000}
    await shop.account.end_dispute(dispute, end)
    events = [event for event in await shop.account.told() if event["type"].startswith("charge.dispute")]
    for number, order in enumerate(permutations(events)):
        await shop.receive([{**event, "id": f"{event['id']}_{number}"} for event in order])
        await shop.sale.work()
        async with transaction(shop.sale.pool, shop.organization_id) as conn:
            (known,) = await load_disputes(conn, shop.organization_id, payment.order_id)
        assert known.status is DisputeStatus(end)
        kept = {"provider:stripe": 5000, "sales": -5000} if end == "won" else {}
        assert await shop.sale.balances() == kept
    told = await shop.sale.messages("dispute.opened", "dispute.won", "dispute.lost")
    assert [message.type for message in told] == ["dispute.opened", f"dispute.{end}"]
    assert await shop.sale.live_units(payment.order_id) == 2


async def test_money_in_a_dispute_is_not_given_back_beside_it(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    payment = await paid(shop, card="disputed")
    dispute = await shop.account.dispute_of(payment.capture_reference or "")
    await shop.deliver()
    for wish in (None, 100):
        with pytest.raises(PaymentDisputed) as refused:
            await refund(shop, payment, wish)
        assert refused.value.fields["refundable_minor"] == 0
    assert await statuses(shop, payment) == []
    assert await shop.sale.live_units(payment.order_id) == 2
    await shop.account.end_dispute(dispute, "won")
    await shop.deliver()
    await refund(shop, payment)
    await shop.send_refunds()
    assert await statuses(shop, payment) == [RefundStatus.SUCCEEDED]
    assert await shop.sale.balances() == {}
    assert await shop.account.taken_minor() == 0


@pytest.mark.parametrize("refused", ["before", "after"])
async def test_a_refund_that_a_dispute_stopped_is_paid_by_it_when_it_is_lost(
    shop_with_stripe: StripeSale, refused: str
) -> None:
    shop = shop_with_stripe
    payment = await paid(shop)
    dispute = shop.stripe.books.open_dispute(payment.capture_reference or "")["id"]
    await refund(shop, payment)
    if refused == "before":
        await shop.send_refunds()
        assert (await statuses(shop, payment), await cases(shop)) == ([RefundStatus.FAILED], ["refund_failed"])
    await shop.account.end_dispute(dispute, "lost")
    await shop.deliver()
    await shop.send_refunds()
    (ended,) = await shop.sale.refunds(payment.order_id)
    assert (ended.status, ended.provider_reference) == (RefundStatus.SUCCEEDED, dispute)
    assert (await shop.sale.balances(), await cases(shop), await shop.account.refunds()) == ({}, [], [])
    day = Day(shop.organization_id, "stripe", system.now().date())
    assert await reconcile_day(shop.sale.pool, system.make_id, shop.sale.providers, day) == 0
    assert await cases(shop) == []
    assert await broken_books(shop.sale.pool, shop.organization_id) == []


async def test_a_lost_dispute_takes_fees_and_taxes_back_as_a_refund_would(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    await declare(shop.sale.pool, shop.organization_id, SERVICE, ORDER_FEE, PLATFORM, taxes=(VAT,))
    payment = await paid(shop)
    before = await shop.sale.balances()
    assert set(before) == {"provider:stripe", "sales", "fees", "absorbed_fees", "taxes"}
    dispute = shop.stripe.books.open_dispute(payment.capture_reference or "")["id"]
    await shop.deliver()
    whole = payment.captured_minor
    del before["provider:stripe"]
    assert await shop.sale.balances() == {**before, "disputes": whole}
    await shop.account.end_dispute(dispute, "lost")
    await shop.deliver()
    assert await shop.sale.balances() == {}
    assert await broken_books(shop.sale.pool, shop.organization_id) == []
    # Nothing is left of it: whoever refunds the order now voids its tickets, and no money moves.
    await refund(shop, payment)
    assert (await shop.sale.live_units(payment.order_id), await statuses(shop, payment)) == (0, [])


async def test_a_dispute_that_is_told_before_the_payment_waits_for_it(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start()
    await shop.pay(payment)
    intent = shop.stripe.books.things[payment.provider_reference or ""]["payment_intent"]
    shop.stripe.books.open_dispute(intent)
    events = shop.stripe.books.events
    disputes = [event for event in events if event["type"].startswith("charge.dispute")]
    await shop.receive(disputes)
    await shop.sale.work()
    assert await shop.sale.balances() == {}
    await shop.receive([event for event in events if event not in disputes])
    await shop.sale.work()
    assert (await shop.sale.show(order_id)).status is OrderStatus.PAID
    assert await shop.sale.balances() == {"disputes": 5000, "sales": -5000}
    waiting = await shop.sale.pool.fetchval(
        "SELECT count(*) FROM payment_notices WHERE organization_id = $1 AND applied_at IS NULL", shop.organization_id
    )
    assert waiting == 0
