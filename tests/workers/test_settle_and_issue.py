"""What several buyers paid is settled and issued in one transaction, or not at all, and no queue does it again."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import Sale, make_sale
from harness.web import SECRET_KEY

from fullhouse.core.message import Message
from fullhouse.infra import outbox_leases, system
from fullhouse.infra.brokers.postgres import PostgresBroker
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, transaction
from fullhouse.operations.verify import verify
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.apply_notice import apply_notices
from fullhouse.payments.settle_together import PlacesChanged
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.tickets.issue_tickets import issue_tickets_together
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.settle_and_issue import settle_and_issue
from fullhouse.workers.subscriptions import QUEUES, find_unheard


async def notices(sale: Sale, count: int) -> list[Message]:
    for number in range(count):
        order = (await sale.order(1 + number % 2)).order
        await sale.pay(order.order_id)
    await sale.deliver()
    return await sale.messages("payment.notice_received")


async def settle(sale: Sale, messages: Sequence[Message], conn: Connection | None = None) -> None:
    async with transaction(sale.pool, sale.made.organization_id) as own:
        await settle_and_issue(conn or own, system.make_id, sale.providers, SECRET_KEY, messages)


async def numbers_of_receipts(sale: Sale) -> dict[Any, int]:
    rows = await sale.pool.fetch(
        "SELECT order_id, number FROM receipts WHERE organization_id = $1", sale.made.organization_id
    )
    return {row["order_id"]: row["number"] for row in rows}


async def tickets_of(sale: Sale) -> list[Any]:
    return await sale.pool.fetch(
        "SELECT order_id, unit_id FROM tickets WHERE organization_id = $1", sale.made.organization_id
    )


async def test_tickets_and_receipts_come_with_the_payment_in_the_name_of_who_paid(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, 3)
    await settle(sale, told)
    assert len(await tickets_of(sale)) == 4
    receipts = await numbers_of_receipts(sale)
    assert set(receipts) == {message.key for message in told}
    assert sorted(receipts.values()) == [1, 2, 3]
    issued = await sale.messages("ticket.issued")
    assert {one.key: one.request_id for one in issued} == {one.key: one.request_id for one in told}
    # On a broker that does not ask the database, the queues react once more, and change nothing.
    async with transaction(pool, sale.made.organization_id) as conn:
        await issue_tickets_together(conn, system.make_id, SECRET_KEY, await sale.messages("order.paid"))
    await settle(sale, told)
    assert len(await tickets_of(sale)) == 4
    assert len(await sale.messages("ticket.issued")) == 3
    assert await numbers_of_receipts(sale) == receipts


async def test_dying_between_any_two_statements_leaves_nothing_of_it(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, 2)
    deaths = 0
    while True:
        try:
            async with transaction(pool, sale.made.organization_id) as conn:
                dying = DyingConnection(conn, deaths)
                await settle_and_issue(dying, system.make_id, sale.providers, SECRET_KEY, told)
            break
        except Died:
            deaths += 1
        assert await tickets_of(sale) == []
        assert await numbers_of_receipts(sale) == {}
        assert [(await sale.show(message.key)).status for message in told] == [OrderStatus.PENDING] * 2
    assert deaths > 20
    assert len(await tickets_of(sale)) == 3
    assert sorted((await numbers_of_receipts(sale)).values()) == [1, 2]
    assert [(await sale.show(message.key)).status for message in told] == [OrderStatus.PAID] * 2


async def test_queues_are_not_handed_what_was_issued_with_the_payment(pool: Pool) -> None:
    together, alone = await make_sale(pool), await make_sale(pool)
    await settle(together, await notices(together, 2))
    for message in await notices(alone, 1):
        await settle(alone, [message])
    broker = PostgresBroker(pool, "", system.make_id, find_unheard)
    await broker.declare(QUEUES)
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        await outbox_leases.prepare_leases(conn)

    while await Relay(pool, broker, system.make_id, system.randomness).send_due():
        pass

    rows = await pool.fetch(
        "SELECT queue, organization_id FROM broker_messages WHERE queue IN ('tickets.issue', 'receipts.issue')"
    )
    ours = {together.made.organization_id, alone.made.organization_id}
    assert sorted((row["queue"], row["organization_id"]) for row in rows if row["organization_id"] in ours) == [
        ("receipts.issue", alone.made.organization_id),
        ("tickets.issue", alone.made.organization_id),
    ]
    delivered = await pool.fetch("SELECT organization_id FROM broker_messages WHERE queue = 'tickets.deliver'")
    assert [row["organization_id"] for row in delivered].count(together.made.organization_id) == 2


async def test_verify_knows_that_it_was_reacted_to(pool: Pool) -> None:
    sale = await make_sale(pool)
    await settle(sale, await notices(sale, 2))
    # What other tests left unsaid must not stand before it: a finding shows some rows.
    await pool.execute(
        "UPDATE outbox SET sent_at = clock_timestamp() - CASE WHEN organization_id = $1 THEN interval '1 hour' END",
        sale.made.organization_id,
    )
    missing = [
        row["queue"]
        for one in await verify(pool, idle=True)
        if one.check == "message_is_reacted_to"
        for row in one.rows
        if row["organization_id"] == sale.made.organization_id
    ]
    assert "payments.settle" in missing
    assert not {"tickets.issue", "receipts.issue"} & set(missing)


async def test_a_hold_that_ends_meanwhile_undoes_the_batch_and_each_is_then_settled_alone(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, 2)
    gone = await sale.show(told[0].key)

    async def end_one(_bought: object) -> None:
        async with transaction(pool, gone.organization_id) as conn:
            await release_reservation(conn, system.make_id, gone.organization_id, gone.reservation_id)

    with pytest.raises(PlacesChanged):
        async with transaction(pool, sale.made.organization_id) as conn:
            await apply_notices(conn, system.make_id, sale.providers, told, end_one)
    assert [(await sale.show(message.key)).status for message in told] == [OrderStatus.PENDING] * 2
    assert await sale.balances() == {}
    for message in told:
        await settle(sale, [message])
    # Its places were free again, so that what was paid late has them.
    assert [(await sale.show(message.key)).status for message in told] == [OrderStatus.PAID] * 2
    assert await sale.stock() == (10, 0, 3, 0)


async def test_nobody_who_buys_waits_while_tickets_are_issued(pool: Pool) -> None:
    sale = await make_sale(pool)
    told = await notices(sale, 2)
    held: list[object] = []

    async def hold_beside(_bought: object) -> None:
        async with asyncio.timeout(10):
            held.append(await sale.hold(1))

    async with transaction(pool, sale.made.organization_id) as conn:
        await apply_notices(conn, system.make_id, sale.providers, told, hold_beside)
    assert len(held) == 1
    assert await sale.stock() == (10, 1, 3, 0)
