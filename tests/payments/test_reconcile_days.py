"""Whole days are compared with the provider's books: what was lost is healed, and what cannot be becomes a case."""

from datetime import timedelta

from harness.providers import FaultyProvider, away
from harness.sale import make_sale
from harness.stripe_sale import StripeSale

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.cases.resolve_case import Ending, resolve_case
from fullhouse.payments.money_cases import list_cases
from fullhouse.payments.news import DisputeStatus
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.queries import load_disputes
from fullhouse.payments.reconcile_days import Day, reconcile_day, reconcile_days
from fullhouse.payments.rules import RefundStatus


async def compare(shop: StripeSale) -> int:
    day = Day(shop.organization_id, "stripe", system.now().date())
    healed = await reconcile_day(shop.sale.pool, system.make_id, shop.sale.providers, day)
    await shop.sale.work()
    return healed


async def cases(shop: StripeSale) -> list[tuple[str, str]]:
    async with transaction(shop.sale.pool, shop.organization_id) as conn:
        return [(one.kind, one.subject) for one in await list_cases(conn, shop.organization_id)]


async def test_a_day_without_differences_heals_nothing(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    _, payment = await shop.order_and_start()
    await shop.pay(payment)
    await shop.deliver()
    assert await compare(shop) == 0
    assert await cases(shop) == []


async def test_lost_notices_of_payments_refunds_and_disputes_are_healed(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start()
    await shop.pay(payment)
    intent = shop.stripe.books.things[payment.provider_reference or ""]["payment_intent"]
    shop.stripe.books.create_refund({"payment_intent": intent, "amount": 700})
    shop.stripe.books.open_dispute(intent)
    assert await compare(shop) == 3
    assert (await shop.sale.show(order_id)).status is OrderStatus.PAID
    assert [one.amount_minor for one in await shop.sale.refunds(order_id)] == [700]
    assert await shop.sale.balances() == {"provider:stripe": -700, "disputes": 5000, "sales": -4300}
    assert await compare(shop) == 0
    assert await cases(shop) == []


async def test_what_becomes_of_old_refunds_and_disputes_is_healed_too(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    books = shop.stripe.books
    (first, refunded), (second, disputed) = [await shop.order_and_start("payment_intent") for _ in range(2)]
    for payment in (refunded, disputed):
        await shop.pay(payment)
    refund = books.create_refund({"payment_intent": refunded.provider_reference, "amount": 700})
    dispute = books.open_dispute(disputed.provider_reference or "")
    await shop.deliver()
    assert await compare(shop) == 0
    # They are of a day that was compared long ago; only that they ended is of this one.
    for thing in (refund, dispute):
        thing["created"] -= 40 * 86_400
    books.end_refund(refund["id"], "failed")
    books.end_dispute(dispute["id"], "lost")
    assert await compare(shop) == 2
    assert [one.status for one in await shop.sale.refunds(first)] == [RefundStatus.FAILED]
    async with transaction(shop.sale.pool, shop.organization_id) as conn:
        (ended,) = await load_disputes(conn, shop.organization_id, second)
    assert ended.status is DisputeStatus.LOST
    assert await shop.sale.balances() == {"provider:stripe": 5000, "refunds": -700, "sales": -4300}
    assert await compare(shop) == 0
    assert [kind for kind, _ in await cases(shop)] == ["refund_failed"]


async def test_money_that_was_taken_twice_goes_back_once(shop_with_stripe: StripeSale) -> None:
    shop = shop_with_stripe
    order_id, payment = await shop.order_and_start("payment_intent")
    await shop.pay(payment)
    await shop.deliver()
    shop.stripe.books.capture_again(payment.provider_reference or "")
    assert await compare(shop) == 1
    await shop.send_refunds()
    assert await compare(shop) == 0
    assert [one.status for one in await shop.sale.refunds(order_id)] == [RefundStatus.SUCCEEDED]
    assert shop.stripe.books.taken_minor() == 5000
    assert await shop.sale.balances() == {"provider:stripe": 5000, "sales": -5000}
    assert await shop.sale.live_units(order_id) == 2


async def test_what_the_provider_does_not_know_becomes_a_case_that_a_person_closes(
    shop_with_stripe: StripeSale,
) -> None:
    shop = shop_with_stripe
    _, payment = await shop.order_and_start("payment_intent")
    await shop.pay(payment)
    await shop.deliver()
    intent = shop.stripe.books.things[payment.provider_reference or ""]
    intent.update(status="requires_payment_method", amount_received=0)
    del shop.stripe.books.things[intent["latest_charge"]]
    strange = shop.stripe.books.create_intent({"amount": 900, "currency": "eur", "metadata": {}})
    strange["metadata"] = {"fullhouse_payment_id": "00000000-0000-7000-8000-000000000009"}
    shop.stripe.books.pay(strange["id"])
    await compare(shop)
    await compare(shop)
    found = await cases(shop)
    assert sorted(found) == [("capture_missing", intent["id"]), ("capture_unknown", strange["id"])]
    async with transaction(shop.sale.pool, shop.organization_id) as conn:
        for one in await list_cases(conn, shop.organization_id):
            ids = (conn, system.make_id, shop.organization_id, one.case_id)
            closed = await resolve_case(*ids, Ending("written_off"))
            assert closed == await resolve_case(*ids, Ending("none_of_ours"))
    await compare(shop)
    assert await cases(shop) == []


async def test_days_that_are_over_are_compared_once(fresh_pool: Pool) -> None:
    sale = await make_sale(fresh_pool)
    provider = FaultyProvider(sale.simulated)
    sale.providers = Providers({"faulty": provider})
    payment = await sale.pay((await sale.order()).order.order_id, provider="faulty")
    for table, column in (("payments", "started_at"), ("simulated_charges", "created_at")):
        await fresh_pool.execute(f"UPDATE {table} SET {column} = {column} - interval '2 days'")
    assert await reconcile_days(fresh_pool, system.make_id, sale.providers) == 1
    assert await reconcile_days(fresh_pool, system.make_id, sale.providers) == 0
    await sale.work()
    assert (await sale.payment(payment.payment_id)).captured_minor == 5000
    rows = await fresh_pool.fetch("SELECT day, told_count, healed_count FROM reconciliations")
    assert [tuple(row) for row in rows] == [(system.now().date() - timedelta(days=2), 1, 1)]


async def test_a_day_is_tried_again_when_the_provider_was_away(fresh_pool: Pool) -> None:
    sale = await make_sale(fresh_pool)
    provider = FaultyProvider(sale.simulated)
    sale.providers = Providers({"faulty": provider})
    await sale.pay((await sale.order()).order.order_id, provider="faulty")
    await fresh_pool.execute("UPDATE payments SET started_at = started_at - interval '2 days'")
    provider.faults["list_news"] = [away()]
    assert await reconcile_days(fresh_pool, system.make_id, sale.providers) == 0
    assert await reconcile_days(fresh_pool, system.make_id, sale.providers) == 0
    assert await fresh_pool.fetchval("SELECT last_error FROM reconciliations") == away().detail
    await fresh_pool.execute("UPDATE reconciliations SET leased_until = clock_timestamp()")
    assert await reconcile_days(fresh_pool, system.make_id, sale.providers) == 1
