"""The books of a sale: only added to, balanced, right in every currency, and shown by organization, event, session."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest
from harness.books import broken_books
from harness.charges import PLATFORM, SERVICE, VAT, declare
from harness.sale import Sale, make_sale
from harness.sold import Sold, pay_for, sell
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.errors import DomainError
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.payments.ledger import SOLD
from fullhouse.payments.news import Dispute, DisputeNews, DisputeStatus
from fullhouse.payments.queries import load_disputes
from fullhouse.payments.settle_dispute import settle_dispute
from fullhouse.reports.queries import list_ledger_lines, load_statement
from fullhouse.reports.rules import AccountLine, Scope


async def statement(pool: Pool, scope: Scope) -> dict[str, tuple[int, int, int, int]]:
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        lines = await load_statement(conn, scope)
    return {line.account: numbers(line) for line in lines}


def numbers(line: AccountLine) -> tuple[int, int, int, int]:
    return line.opening_minor, line.received_minor, line.given_minor, line.closing_minor


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount_minor = 1 WHERE organization_id = $1",
        "DELETE FROM ledger_entries WHERE organization_id = $1",
        "UPDATE ledger_entries SET amount_minor = 1 WHERE organization_id = $1 AND false",
    ],
)
async def test_what_was_entered_stays(pool: Pool, statement: str) -> None:
    sold = await sell(pool, 1)
    before = await sold.sale.balances()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            await conn.execute(statement, sold.organization_id)  # pyright: ignore[reportArgumentType]
    assert await sold.sale.balances() == before == {"provider:simulated": 2500, "sales": -2500}


async def test_an_entry_that_does_not_sum_to_zero_is_refused(pool: Pool) -> None:
    sold = await sell(pool, 1)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            await conn.execute(
                """
                INSERT INTO ledger_entries (organization_id, entry_id, line, account, amount_minor, currency, order_id,
                                            event_id, session_id)
                SELECT $1, $2, l.line, 'sales', l.amount, l.currency, $3, $4, $5
                FROM (VALUES (1, 5, 'EUR'), (2, -5, 'USD')) AS l(line, amount, currency)
                """,
                sold.organization_id,
                system.make_id(),
                sold.order_id,
                sold.order.event_id,
                sold.order.session_id,
            )
    assert getattr(refused.value, "constraint_name", None) == "ledger_entries_balance"
    assert await sold.sale.balances() == {"provider:simulated": 2500, "sales": -2500}


@pytest.mark.parametrize(("currency", "price"), [("EUR", 2500), ("JPY", 1201), ("KWD", 12345)])
async def test_a_sale_and_its_refunds_in_each_kind_of_currency(pool: Pool, currency: str, price: int) -> None:
    sold = await sell(pool, 3, price_minor=price, currency=currency)
    scope = Scope(sold.organization_id)
    assert await statement(pool, scope) == {
        "buyers": (0, 3 * price, 3 * price, 0),
        "provider:simulated": (0, 3 * price, 0, 3 * price),
        "sales": (0, 0, 3 * price, -3 * price),
    }
    first, *_ = await sold.units()
    await sold.refund(first.unit_id)
    await sold.sale.work()
    assert await sold.sale.balances() == {"provider:simulated": 2 * price, "sales": -2 * price}
    await sold.refund()
    await sold.sale.work()
    assert await sold.sale.balances() == {}
    given = await pool.fetch(
        "SELECT amount_minor FROM simulated_refunds WHERE organization_id = $1 ORDER BY 1", sold.organization_id
    )
    assert [row["amount_minor"] for row in given] == [price, 2 * price]
    assert await statement(pool, scope) == {
        "buyers": (0, 3 * price, 3 * price, 0),
        "provider:simulated": (0, 3 * price, 3 * price, 0),
        "refunds": (0, 3 * price, 3 * price, 0),
        "sales": (0, 3 * price, 3 * price, 0),
    }


async def test_a_statement_is_of_one_session_event_or_span(pool: Pool) -> None:
    sale = await make_sale(pool)
    sold = [await pay_for(sale, await sale.hold(quantity), "en") for quantity in (1, 2)]
    organization_id, order = sold[0].organization_id, sold[0].order
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        instants = await entered(pool, organization_id, sold[1].order_id)
    sales = {"sales": (0, 0, 7500, -7500)}
    for scope in (Scope(organization_id, event_id=order.event_id), Scope(organization_id, session_id=order.session_id)):
        assert (await statement(pool, scope))["sales"] == sales["sales"]
    for scope in (Scope(organization_id, event_id=order.order_id), Scope(organization_id, session_id=order.order_id)):
        assert await statement(pool, scope) == {}
    since = Scope(organization_id, since=instants)
    assert (await statement(pool, since))["sales"] == (-2500, 0, 5000, -7500)
    assert (await statement(pool, Scope(organization_id, until=instants)))["sales"] == (0, 0, 2500, -2500)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        lines = await list_ledger_lines(conn, since, None, 100)
        assert [line.order_id for line in lines] == [sold[1].order_id] * 4
        rest = await list_ledger_lines(conn, since, (lines[0].entered_at, lines[0].entry_id, lines[0].line), 2)
    assert list(rest) == list(lines[1:3])


async def entered(pool: Pool, organization_id: UUID, order_id: UUID):  # noqa: ANN201 (an instant)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        return await conn.fetchval(
            "SELECT min(entered_at) FROM ledger_entries WHERE organization_id = $1 AND order_id = $2",
            organization_id,
            order_id,
        )


Step = tuple[str, int]
ALONE = ("sell", "work")
DISPUTED = {"opened": DisputeStatus.OPENED, "won": DisputeStatus.WON, "lost": DisputeStatus.LOST}
STEPS = st.tuples(
    st.sampled_from(["sell", "unit", "amount", "line", "whole", "work", "opened", "opened", "won", "lost"]),
    st.integers(0, 7),
)


@example(steps=[[("unit", 0), ("opened", 2)], [("lost", 2), ("lost", 2)]], price=1, currency="EUR")
@example(
    steps=[[("unit", 0), ("unit", 1)], [("opened", 0), ("won", 1)], [("lost", 0), ("won", 1)]], price=9, currency="EUR"
)
@given(
    steps=st.lists(st.lists(STEPS, min_size=2, max_size=2), min_size=2, max_size=6),
    price=st.integers(1, 99_999),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_random_sales_refunds_and_disputes_two_at_a_time_leave_no_cent_over(
    pool: Pool, steps: list[list[Step]], price: int, currency: str
) -> None:
    sale = await make_sale(pool, capacity=20, price_minor=price, currency=currency)
    await declare(pool, sale.made.organization_id, SERVICE, PLATFORM, taxes=(VAT,), currency=currency)
    sold = [await pay_for(sale, await sale.hold(3), "en")]
    for batch in steps:
        # The sale under test has one worker, so what sells and works goes alone; refunds run against each other.
        for step in (step for step in batch if step[0] in ALONE):
            await play(sale, sold, step)
        refunds = [play(sale, sold, step) for step in batch if step[0] not in ALONE]
        results = await asyncio.gather(*refunds, return_exceptions=True)
        assert [one for one in results if isinstance(one, BaseException) and not isinstance(one, DomainError)] == []
    await sale.work()
    kept = live = in_dispute = 0
    for one in sold:
        disputes = await disputes_of(sale, one)
        # What a lost dispute has paid is counted with the dispute.
        names = {each.provider_reference for each in disputes}
        refunds = [refund for refund in await sale.refunds(one.order_id) if refund.provider_reference not in names]
        given_back = sum(refund.amount_minor for refund in refunds)
        taken = sum(each.withdrawn_minor for each in disputes if each.status is not DisputeStatus.WON)
        assert 0 <= given_back <= one.order.total_minor
        live += await sale.live_units(one.order_id)
        kept += one.order.total_minor - given_back - taken
        in_dispute += sum(each.withdrawn_minor for each in disputes if each.status is DisputeStatus.OPENED)
    balances = await sale.balances()
    assert balances.pop("provider:simulated", 0) == kept
    assert balances.pop("disputes", 0) == in_dispute
    assert set(balances) <= {account.value for account in SOLD}
    assert -sum(balances.values()) == kept + in_dispute
    assert await broken_books(pool, sale.made.organization_id) == []
    _, held, stock_sold, _ = await sale.stock()
    assert (held, stock_sold) == (0, live)


async def disputes_of(sale: Sale, one: Sold) -> Sequence[Dispute]:
    async with connection(sale.pool, one.organization_id) as conn:
        return await load_disputes(conn, one.organization_id, one.order_id)


async def dispute(one: Sold, name: str, choice: int) -> None:
    """Let a bank ask for all or a part of an order's money, or decide on that."""
    (payment,) = await one.sale.payments(one.order_id)
    amount = max(1, payment.captured_minor // (1 + choice % 3))
    known = {each.provider_reference: each.amount_minor for each in await disputes_of(one.sale, one)}
    # A bank asks once, in one or several parts, and for no more than was paid.
    reference = f"du_{choice % 2}"
    if reference not in known and (name != "opened" or amount + sum(known.values()) > payment.captured_minor):
        return
    news = DisputeNews(reference, DISPUTED[name], known.get(reference, amount), withdrawn=True)
    async with transaction(one.pool, one.organization_id) as conn:
        await settle_dispute(conn, system.make_id, one.organization_id, payment.payment_id, news)


async def play(sale: Sale, sold: list[Sold], step: Step) -> None:
    """Do one thing; what is refused is refused."""
    name, choice = step
    one = sold[choice % len(sold)]
    if name == "sell":
        sold.append(await pay_for(sale, await sale.hold(1 + choice % 3), "en"))
    elif name == "work":
        await sale.work()
    elif name in DISPUTED:
        await dispute(one, name, choice)
    else:
        unit = (await one.units())[choice % len(await one.units())]
        wishes = {
            "unit": RefundWish(unit_ids=(unit.unit_id,)),
            "line": RefundWish(lines={1: 1 + choice % 2}),
            "amount": RefundWish(amount_minor=choice * unit.price_minor // 3 + 1),
            "whole": RefundWish(),
        }
        async with transaction(sale.pool, EVERY_ORGANIZATION) as conn:
            await refund_order(conn, system.make_id, one.organization_id, one.order_id, wishes[name])
