"""Notices in any order and number end in the same state: promise 17, on the real path."""

import json
from collections.abc import Sequence
from itertools import permutations
from uuid import UUID

from harness.sale import NOTICE_KEY, Sale, make_sale
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.apply_notice import apply_notice
from fullhouse.payments.providers.port import SentNotice
from fullhouse.payments.providers.signature import SIGNATURE_HEADER, sign
from fullhouse.payments.providers.simulated import SIMULATED
from fullhouse.payments.receive_webhook import receive_webhook
from fullhouse.payments.rules import Payment

WORDS = ("open", "cancelled", "declined", "captured")


async def tell(sale: Sale, payment: Payment, status: str, number: int = 0) -> bool:
    """Send one notice, as the provider would, whose books agree with what it says."""
    if status == "captured":
        await sale.pool.execute(
            "UPDATE simulated_charges SET status = 'captured' WHERE payment_id = $1", payment.payment_id
        )
    body = {
        "id": f"{payment.payment_id}-{status}-{number}",
        "type": f"charge.{status}",
        "charge": {
            "reference": f"ref-{payment.attempt}",
            "payment_id": str(payment.payment_id),
            "status": status,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
        },
    }
    raw = json.dumps(body).encode()
    now = system.now()
    headers = {SIGNATURE_HEADER: sign(raw, now, NOTICE_KEY)}
    return await receive_webhook(sale.pool, system.make_id, (SIMULATED, sale.simulated), SentNotice(raw, headers), now)


async def end_of(sale: Sale, order_id: UUID) -> tuple[object, ...]:
    """Say what is left when everything was heard."""
    await sale.work()
    payments = await sale.payments(order_id)
    return (
        (await sale.show(order_id)).status,
        await sale.stock(),
        await sale.live_units(order_id),
        await sale.balances(),
        [(payment.status, payment.captured_minor) for payment in payments],
        [(refund.amount_minor, refund.status) for refund in await sale.refunds(order_id)],
    )


async def after(pool: Pool, words: Sequence[str], *, work_between: bool) -> tuple[object, ...]:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late")
    for number, word in enumerate(words):
        await tell(sale, payment, word, number)
        if work_between:
            await sale.work()
    return await end_of(sale, order.order_id)


async def test_every_order_of_the_words_about_one_payment_ends_the_same(pool: Pool) -> None:
    ends = [await after(pool, words, work_between=True) for words in permutations(WORDS)]
    assert all(end == ends[0] for end in ends)
    assert ends[0][0] is OrderStatus.PAID


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=7), data=st.data())
async def test_any_order_and_duplication_ends_the_same(pool: Pool, words: list[str], data: st.DataObject) -> None:
    again = data.draw(st.permutations([*words, *words]))
    assert await after(pool, words, work_between=True) == await after(
        pool, again, work_between=data.draw(st.booleans())
    )


async def test_two_payments_that_both_win_end_the_same_in_any_order(pool: Pool) -> None:
    ends: list[tuple[object, ...]] = []
    for words in permutations([(0, "cancelled"), (0, "captured"), (1, "declined"), (1, "captured")]):
        sale = await make_sale(pool)
        order = (await sale.order()).order
        first = await sale.pay(order.order_id, "late")
        await tell(sale, first, "cancelled")
        await sale.work()
        second = await sale.pay(order.order_id, "late")
        for attempt, word in words:
            await tell(sale, (first, second)[attempt], word)
            await sale.work()
        ends.append(await end_of(sale, order.order_id))
    assert all(end == ends[0] for end in ends)
    assert ends[0][0] is OrderStatus.PAID
    assert ends[0][3] == {"provider:simulated": 5000, "sales": -5000}


async def test_a_notice_is_stored_and_applied_once(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late")
    assert [await tell(sale, payment, "captured") for _ in range(5)] == [True, False, False, False, False]
    (stored,) = await sale.messages("payment.notice_received")
    for _ in range(5):
        async with transaction(pool, stored.organization_id) as conn:
            await apply_notice(conn, system.make_id, sale.providers, stored)
    assert await sale.stock() == (10, 0, 2, 0)
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM payment_notices WHERE payment_id = $1 AND applied_at IS NOT NULL", payment.payment_id
        )
        == 1
    )
