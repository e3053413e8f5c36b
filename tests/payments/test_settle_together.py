"""Settling in batches: each payment ends as it would alone, and what is wrong with one is nobody else's trouble."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import Sale, make_sale
from harness.waiting import somebody_waits

from fullhouse.core.message import Message
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.operations.bench.stock import Organizer, put_on_sale
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.apply_notice import apply_notices
from fullhouse.payments.notice_writes import mark_applied
from fullhouse.payments.rules import PaymentStatus, ProviderUnknown
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import ItemRequest
from fullhouse.tickets.issue_tickets import issue_tickets_together

SERVER_KEY = b"a key of a server in tests, long enough"


async def notices(sale: Sale, outcomes: Iterable[str] = ("succeed",) * 3) -> list[Message]:
    """Order and pay as often as there are outcomes; return the notices, as if each came with a request of its own."""
    for outcome in outcomes:
        order = (await sale.order(1)).order
        await sale.pay(order.order_id, outcome)
    await sale.deliver()
    told = await sale.messages("payment.notice_received")
    return [replace(message, request_id=f"request-{number}") for number, message in enumerate(told)]


async def apply(sale: Sale, messages: Sequence[Message]) -> None:
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        await apply_notices(conn, system.make_id, sale.providers, messages)


async def statuses(sale: Sale, messages: Iterable[Message]) -> list[OrderStatus]:
    return [(await sale.show(message.key)).status for message in messages]


async def test_a_batch_settles_every_payment_and_tells_each_in_its_own_name(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale)
    await apply(sale, told)
    assert await statuses(sale, told) == [OrderStatus.PAID] * 3
    assert [payment.status for message in told for payment in await sale.payments(message.key)] == (
        [PaymentStatus.SUCCEEDED] * 3
    )
    assert await sale.stock() == (10, 0, 3, 0)
    assert [await sale.live_units(message.key) for message in told] == [1, 1, 1]
    assert await sale.balances() == {"provider:simulated": 7500, "sales": -7500}
    of_order = {message.key: message.request_id for message in told}
    for kind in ("payment.succeeded", "order.paid"):
        facts = await sale.messages(kind)
        assert {fact.key: fact.request_id for fact in facts} == of_order
        assert len(facts) == 3
    (sold,) = await sale.messages("reservation.sold")
    orders = [await sale.show(message.key) for message in told]
    ids = sold.data["reservation_ids"]
    assert isinstance(ids, list)
    assert {str(id_) for id_ in ids} == {str(order.reservation_id) for order in orders}
    left = await pool.fetchval(
        "SELECT count(*) FROM payment_notices WHERE organization_id = $1 AND applied_at IS NULL",
        sale.made.organization_id,
    )
    assert left == 0
    await apply(sale, told)
    assert await sale.balances() == {"provider:simulated": 7500, "sales": -7500}
    assert len(await sale.messages("order.paid")) == 3


class _Counting(DyingConnection):
    """Counts statements, and never dies."""

    def __init__(self, conn: object) -> None:
        super().__init__(conn, 10_000)  # pyright: ignore[reportArgumentType] (a connection)

    @property
    def count(self) -> int:
        return 10_000 - self._left


async def test_the_number_of_statements_does_not_grow_with_the_batch(pool: Pool) -> None:
    counts: list[tuple[int, int]] = []
    for size in (2, 6):
        sale = await make_sale(pool)
        told = await notices(sale, ["succeed"] * size)
        async with transaction(pool, sale.made.organization_id) as conn:
            settling = _Counting(conn)
            await apply_notices(settling, system.make_id, sale.providers, told)
        assert await statuses(sale, told) == [OrderStatus.PAID] * size
        async with transaction(pool, sale.made.organization_id) as conn:
            await issue_tickets_together(conn, system.make_id, SERVER_KEY, [])
            issuing = _Counting(conn)
            paid = await sale.messages("order.paid")
            await issue_tickets_together(issuing, system.make_id, SERVER_KEY, paid)
        issued = await sale.messages("ticket.issued")
        assert {fact.key: fact.request_id for fact in issued} == {fact.key: fact.request_id for fact in paid}
        counts.append((settling.count, issuing.count))
    assert counts[0][0] == counts[1][0]
    # The first tickets of an organization make its key.
    assert counts[0][1] == counts[1][1] <= 12


async def test_what_is_not_plain_ends_as_it_does_alone(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, ["succeed", "decline", "succeed", "succeed", "succeed", "succeed"])
    plain, declined, late, excess, short, last = told
    gone = await sale.show(late.key)
    async with transaction(pool, gone.organization_id) as conn:
        await release_reservation(conn, system.make_id, gone.organization_id, gone.reservation_id)
    for message, amount in ((excess, "2600"), (short, "2400")):
        await pool.execute(
            "UPDATE payment_notices SET body = jsonb_set(body, '{charge,amount_minor}', $2::jsonb) "
            "WHERE notice_id = $1::uuid",
            message.data["notice_id"],
            int(amount),
        )
    await apply(sale, told)
    assert await statuses(sale, [plain, late, excess, last]) == [OrderStatus.PAID] * 4
    assert await statuses(sale, [declined, short]) == [OrderStatus.PENDING] * 2
    assert [payment.status for payment in await sale.payments(declined.key)] == [PaymentStatus.DECLINED]
    # What was late has found its place free again.
    assert await sale.stock() == (10, 2, 4, 0)
    owed = {message.key: await sale.refunds(message.key) for message in told}
    assert {key: [one.amount_minor for one in refunds] for key, refunds in owed.items() if refunds} == {
        excess.key: [100],
        short.key: [2400],
    }
    assert await sale.balances() == {"provider:simulated": 12500, "sales": -10000, "refunds": -2500}
    assert {fact.key: fact.request_id for fact in await sale.messages("payment.declined")} == {
        declined.key: declined.request_id
    }


async def test_a_session_that_is_cancelled_gets_its_money_asked_back(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, ["succeed"] * 2)
    await pool.execute("UPDATE sessions SET status = 'cancelled' WHERE organization_id = $1", sale.made.organization_id)
    await apply(sale, told)
    assert await statuses(sale, told) == [OrderStatus.PAID_UNSEATED] * 2
    assert await sale.stock() == (10, 0, 0, 0)
    assert [one.amount_minor for message in told for one in await sale.refunds(message.key)] == [2500, 2500]


async def test_one_that_cannot_be_applied_undoes_the_batch_and_fails_alone(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale)
    await pool.execute(
        "UPDATE payment_notices SET provider = 'unknown' WHERE notice_id = $1::uuid", told[1].data["notice_id"]
    )
    with pytest.raises(ProviderUnknown):
        await apply(sale, told)
    assert await statuses(sale, told) == [OrderStatus.PENDING] * 3
    assert await sale.balances() == {}
    for message in told:
        if message is told[1]:
            with pytest.raises(ProviderUnknown):
                await apply(sale, [message])
        else:
            await apply(sale, [message])
    assert await statuses(sale, told) == [OrderStatus.PAID, OrderStatus.PENDING, OrderStatus.PAID]


async def test_the_same_batch_many_times_at_once_sells_once(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, ["succeed"] * 4)
    barrier = asyncio.Barrier(4)

    async def one(turn: int) -> None:
        await barrier.wait()
        await apply(sale, told[turn:] + told[:turn])

    await asyncio.gather(*map(one, range(4)))
    assert await statuses(sale, told) == [OrderStatus.PAID] * 4
    assert await sale.stock() == (10, 0, 4, 0)
    assert await sale.balances() == {"provider:simulated": 10000, "sales": -10000}
    assert len(await sale.messages("order.paid")) == 4


async def test_notices_are_locked_in_one_order_however_the_database_finds_them(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, ["succeed"] * 2)
    organization_id = sale.made.organization_id
    ids = sorted(UUID(str(message.data["notice_id"])) for message in told)
    # What was written last lies last: read as it lies, the first would be found second.
    await pool.execute("UPDATE payment_notices SET received_at = received_at WHERE notice_id = $1", ids[0])
    async with transaction(pool, organization_id) as holder:
        await mark_applied(holder, organization_id, ids[:1])

        async def mark_both() -> None:
            async with transaction(pool, organization_id) as conn:
                await conn.execute("SET LOCAL enable_indexscan = off")
                await conn.execute("SET LOCAL enable_bitmapscan = off")
                await mark_applied(conn, organization_id, ids)

        waiting = asyncio.create_task(mark_both())
        await somebody_waits(pool)
        await mark_applied(holder, organization_id, ids[1:])
    await waiting


async def test_batches_over_the_same_sessions_wait_in_one_order(pool: Pool) -> None:
    sale = await make_sale(pool)
    other = await put_on_sale(pool, Organizer(sale.made.organization_id, ""))
    for _ in range(6):
        held = await sale.office.place_reservation(other.session_id, (ItemRequest(other.ticket_type_id, quantity=1),))
        await sale.pay((await sale.order(placed=held)).order.order_id)
    told = await notices(sale, ["succeed"] * 6)
    here, there = told[6:], told[:6]
    barrier = asyncio.Barrier(3)

    async def batch(number: int) -> None:
        mine = [*here[number * 2 : number * 2 + 2], *there[number * 2 : number * 2 + 2]]
        await barrier.wait()
        await apply(sale, mine if number % 2 else mine[::-1])

    await asyncio.gather(*map(batch, range(3)))
    assert await statuses(sale, told) == [OrderStatus.PAID] * 12
    assert len(await sale.messages("reservation.sold")) == 6


async def test_dying_between_any_two_statements_of_a_batch_changes_nothing(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, ["succeed"] * 2)
    deaths = 0
    while True:
        try:
            async with transaction(pool, sale.made.organization_id) as conn:
                await apply_notices(DyingConnection(conn, deaths), system.make_id, sale.providers, told)
            break
        except Died:
            deaths += 1
        assert await statuses(sale, told) == [OrderStatus.PENDING] * 2
        assert await sale.stock() == (10, 2, 0, 0)
        assert await sale.balances() == {}
    assert deaths > 12
    assert await statuses(sale, told) == [OrderStatus.PAID] * 2
    assert await sale.stock() == (10, 0, 2, 0)
