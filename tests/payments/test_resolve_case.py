"""A refund that failed is owed until its case says how it ended, and the ledger with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from harness.providers import FaultyProvider
from harness.sale import Sale, make_sale

from fullhouse.core.errors import Invalid
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.operations.verify import verify
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.payments.cases.resolve_case import Ending, resolve_case
from fullhouse.payments.ledger import Account
from fullhouse.payments.money_cases import MoneyCase, NewCase, Resolution, list_cases, open_case
from fullhouse.payments.news import BY_HAND, RefundNews
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.request_refund import RefundRequest, request_refund
from fullhouse.payments.rules import ProviderRefused, Refund, RefundNotFailed, RefundStatus
from fullhouse.payments.send_refunds import retry_refund, send_refunds
from fullhouse.payments.settle_refund import settle_refund
from fullhouse.receipts.issue_receipt import issue_credit_note

Sold = tuple[Sale, FaultyProvider, Order]


@pytest.fixture
async def sold(pool: Pool) -> AsyncIterator[Sold]:
    """Sell for 50.00, by a provider that can be told to refuse; the ledger proves itself at the end."""
    sale = await make_sale(pool)
    order = (await sale.order()).order
    await sale.pay(order.order_id)
    await sale.deliver()
    await sale.work()
    provider = FaultyProvider(sale.simulated)
    sale.providers = Providers({"simulated": provider})
    yield sale, provider, order
    broken = [one for one in await verify(pool) if one.promise == 7 or one.check == "failed_refund_is_a_case"]
    mine = [row for one in broken for row in one.rows if row["organization_id"] == order.organization_id]
    assert [row for row in mine if "receipt_minor" not in row] == []


async def fail(sold: Sold, amount_minor: int = 2000) -> Refund:
    """Ask for a refund that the provider refuses for good."""
    sale, provider, order = sold
    provider.faults["refund"] = [ProviderRefused("The account is closed.")]
    async with transaction(sale.pool, order.organization_id) as conn:
        wanted = RefundRequest(order.organization_id, order.order_id, amount_minor, "by_request", Account.SALES)
        (refund,) = await request_refund(conn, system.make_id, wanted)
    await send_refunds(sale.pool, system.make_id, sale.providers)
    return refund


async def cases(sold: Sold, *, is_open: bool = True) -> list[MoneyCase]:
    async with connection(sold[0].pool, sold[2].organization_id) as conn:
        return await list_cases(conn, sold[2].organization_id, is_open=is_open)


async def end(sold: Sold, resolution: Resolution, reference: str | None = None) -> MoneyCase:
    (case,) = await cases(sold)
    async with transaction(sold[0].pool, case.organization_id) as conn:
        return await resolve_case(
            conn, system.make_id, case.organization_id, case.case_id, Ending(resolution, reference)
        )


async def tell(sold: Sold, news: RefundNews) -> Refund | None:
    (payment,) = await sold[0].payments(sold[2].order_id)
    async with transaction(sold[0].pool, payment.organization_id) as conn:
        return await settle_refund(conn, system.make_id, payment.organization_id, payment.payment_id, news)


async def only(sold: Sold) -> Refund:
    (refund,) = await sold[0].refunds(sold[2].order_id)
    return refund


async def test_what_was_paid_back_otherwise_is_done_and_has_its_credit_note(sold: Sold) -> None:
    refund = await fail(sold)
    case = await end(sold, "paid_back_otherwise", "TED-2031/77")
    assert (case.resolution, case.reference) == ("paid_back_otherwise", "TED-2031/77")
    done = await only(sold)
    assert (done.status, done.otherwise_reference, done.provider_reference) == (
        RefundStatus.SUCCEEDED,
        "TED-2031/77",
        None,
    )
    kept = {"provider:simulated": 5000, "sales": -3000, "paid_otherwise": -2000}
    assert await sold[0].balances() == kept
    assert len(await sold[0].messages("refund.succeeded")) == 1
    async with transaction(sold[0].pool, refund.organization_id) as conn:
        note = await issue_credit_note(conn, system.make_id, refund.organization_id, refund.refund_id)
    assert note is not None
    assert note.amount_minor == 2000
    # Whatever is told late of what had failed changes nothing, and it is not sent again.
    await tell(sold, RefundNews("re_late", RefundStatus.FAILED, 2000, refund.refund_id))
    with pytest.raises(RefundNotFailed):
        async with transaction(sold[0].pool, refund.organization_id) as conn:
            await retry_refund(conn, system.make_id, refund.organization_id, refund.refund_id)
    assert await sold[0].balances() == kept
    assert await only(sold) == done


async def test_what_is_forfeited_is_the_organizations_and_says_so(sold: Sold) -> None:
    await fail(sold)
    await end(sold, "forfeited")
    assert (await only(sold)).status is RefundStatus.FORFEITED
    assert await sold[0].balances() == {"provider:simulated": 5000, "sales": -3000, "forfeited": -2000}
    assert len(await sold[0].messages("refund.forfeited")) == 1
    assert await sold[0].messages("refund.succeeded") == []


async def test_what_the_provider_did_after_all_is_entered_under_its_name(sold: Sold) -> None:
    refund = await fail(sold)
    await end(sold, "put_right_at_provider", "re_2")
    assert ((await only(sold)).status, (await only(sold)).provider_reference) == (RefundStatus.SUCCEEDED, "re_2")
    assert await sold[0].balances() == {"provider:simulated": 3000, "sales": -3000}
    # Its notice comes later, and is about the same; then the bank sends it back, and it is owed again.
    await tell(sold, RefundNews("re_2", RefundStatus.SUCCEEDED, 2000))
    assert await cases(sold) == []
    await tell(sold, RefundNews("re_2", RefundStatus.FAILED, 2000))
    (again,) = await cases(sold)
    assert (again.kind, again.subject, again.resolution) == ("refund_failed", str(refund.refund_id), None)
    with pytest.raises(Invalid):
        await end(sold, "put_right_at_provider", "re_2")
    assert await sold[0].balances() == {"provider:simulated": 5000, "sales": -3000, "refunds": -2000}


REFUSED: list[tuple[Resolution, str | None, str]] = [
    ("written_off", "x", "resolution"),
    ("none_of_ours", "x", "resolution"),
    ("paid_back_otherwise", None, "reference"),
    ("put_right_at_provider", None, "reference"),
    ("paid_back_otherwise", "Ana Souza", "reference"),
    ("paid_back_otherwise", "ana@example.com", "reference"),
]


async def test_an_ending_without_proof_or_of_another_kind_changes_nothing(sold: Sold) -> None:
    await fail(sold)
    for resolution, reference, field in REFUSED:
        with pytest.raises(Invalid) as refused:
            await end(sold, resolution, reference)
        assert [one["field"] for one in refused.value.fields["errors"]] == [field]  # type: ignore[union-attr,index,call-overload]
    assert (await only(sold)).status is RefundStatus.FAILED
    assert await sold[0].balances() == {"provider:simulated": 5000, "sales": -3000, "refunds": -2000}
    assert len(await cases(sold)) == 1


async def test_while_a_refund_is_on_its_way_again_its_case_cannot_be_closed(sold: Sold) -> None:
    refund = await fail(sold)
    async with transaction(sold[0].pool, refund.organization_id) as conn:
        await retry_refund(conn, system.make_id, refund.organization_id, refund.refund_id)
    with pytest.raises(RefundNotFailed):
        await end(sold, "forfeited")
    assert (await cases(sold))[0].closed_at is None
    await send_refunds(sold[0].pool, system.make_id, sold[0].providers)
    assert await cases(sold) == []


async def test_closing_many_times_at_once_enters_once(sold: Sold) -> None:
    await fail(sold)
    (case,) = await cases(sold)

    async def close(resolution: Resolution) -> MoneyCase:
        async with transaction(sold[0].pool, case.organization_id) as conn:
            ending = Ending(resolution, "TED-1")
            return await resolve_case(conn, system.make_id, case.organization_id, case.case_id, ending)

    both: list[Resolution] = ["paid_back_otherwise", "forfeited"]
    closed = await asyncio.gather(*(close(one) for one in both * 3))
    assert len({(one.resolution, one.closed_at) for one in closed}) == 1
    balances = await sold[0].balances()
    assert balances.get("paid_otherwise", 0) + balances.get("forfeited", 0) == -2000


async def deny(sold: Sold) -> Refund:
    """Give money back that the provider denies later, as the comparison of days would find."""
    sale, _, order = sold
    async with transaction(sale.pool, order.organization_id) as conn:
        wanted = RefundRequest(order.organization_id, order.order_id, 2000, "by_request", Account.SALES)
        (refund,) = await request_refund(conn, system.make_id, wanted)
    await send_refunds(sale.pool, system.make_id, sale.providers)
    (payment,) = await sale.payments(order.order_id)
    async with transaction(sale.pool, order.organization_id) as conn:
        new = NewCase("refund_missing", "simulated", str(refund.refund_id), "No such refund.", payment)
        await open_case(conn, system.make_id, order.organization_id, new)
    return refund


DENIED: list[tuple[Resolution, str | None, dict[str, int]]] = [
    ("put_right_at_provider", "re_9", {"provider:simulated": 3000, "sales": -3000}),
    ("paid_back_otherwise", "TED-9", {"provider:simulated": 5000, "sales": -3000, "paid_otherwise": -2000}),
    ("forfeited", None, {"provider:simulated": 5000, "sales": -3000, "forfeited": -2000}),
]


@pytest.mark.parametrize(("resolution", "reference", "balances"), DENIED)
async def test_a_refund_that_the_provider_denies_ends_as_its_case_says(
    sold: Sold, resolution: Resolution, reference: str | None, balances: dict[str, int]
) -> None:
    await deny(sold)
    await end(sold, resolution, reference)
    assert await sold[0].balances() == balances
    assert len(await sold[0].refunds(sold[2].order_id)) == 1


async def test_a_denied_refund_that_is_made_by_hand_is_that_refund(sold: Sold) -> None:
    refund = await deny(sold)
    done = await tell(sold, RefundNews("re_hand", RefundStatus.SUCCEEDED, 2000))
    assert done is not None
    assert (done.refund_id, done.provider_reference) == (refund.refund_id, "re_hand")
    assert await cases(sold) == []
    assert await sold[0].balances() == {"provider:simulated": 3000, "sales": -3000}


async def whole(sold: Sold) -> RefundNews:
    refund = await deny_nothing(sold)
    return RefundNews(refund.provider_reference or "", RefundStatus.FAILED, 5000)


async def deny_nothing(sold: Sold) -> Refund:
    sale, _, order = sold
    async with transaction(sale.pool, order.organization_id) as conn:
        wanted = RefundRequest(order.organization_id, order.order_id, 5000, "by_request", Account.SALES)
        await request_refund(conn, system.make_id, wanted)
    await send_refunds(sale.pool, system.make_id, sale.providers)
    return await only(sold)


HAND = RefundNews("re_hand", RefundStatus.SUCCEEDED, 5000)


@pytest.mark.parametrize("is_reversed", [False, True])
async def test_a_whole_refund_that_failed_and_was_made_by_hand_ends_the_same_in_any_order(
    sold: Sold, *, is_reversed: bool
) -> None:
    news = [await whole(sold), HAND]
    for one in reversed(news) if is_reversed else news:
        await tell(sold, one)
    done = await only(sold)
    assert (done.status, done.provider_reference, done.reason) == (RefundStatus.SUCCEEDED, "re_hand", "by_request")
    assert done.reason != BY_HAND
    assert await sold[0].balances() == {}
    assert await cases(sold) == []


async def test_an_order_whose_money_was_paid_back_otherwise_is_refunded(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=1)
    late = (await sale.order(1)).order
    payment = await sale.pay(late.order_id, "late")
    await pool.execute("UPDATE reservations SET status = 'expired' WHERE reservation_id = $1", late.reservation_id)
    await pool.execute("UPDATE quotas SET capacity = 0, held = 0 WHERE organization_id = $1", late.organization_id)
    await sale.make_due(payment)
    await sale.deliver()
    provider = FaultyProvider(sale.simulated, faults={"refund": [ProviderRefused("The account is closed.")]})
    sale.providers = Providers({"simulated": provider})
    await sale.work()
    assert (await sale.show(late.order_id)).status is OrderStatus.PAID_UNSEATED
    await end((sale, provider, late), "paid_back_otherwise", "TED-3")
    assert (await sale.show(late.order_id)).status is OrderStatus.REFUNDED
    (refund,) = await sale.refunds(late.order_id)
    async with transaction(pool, late.organization_id) as conn:
        # Nothing was sold, so there is nothing to credit.
        assert await issue_credit_note(conn, system.make_id, late.organization_id, refund.refund_id) is None
    await sale.office.close()
