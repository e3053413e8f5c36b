"""The whole worker, with the product's own tables: from a payment to the mail, any part by itself, and its end."""

import asyncio
import re
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from harness.sale import make_sale
from harness.waiting import until
from harness.web import client_of, running_app
from harness.worker import SETTINGS, drained, resources_on, running_worker

from fullhouse.infra.outbox import request_id
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener, Notifier
from fullhouse.operations.verify import verify
from fullhouse.workers.run import PARTS, run_worker
from fullhouse.workers.subscriptions import QUEUES, TABLE
from fullhouse.workers.work import work_of


async def test_payment_becomes_tickets_a_document_and_one_mail(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    sale = await make_sale(fresh_pool)
    async with running_worker(resources_on(fresh_pool, valkey, fresh_database, tmp_path)):
        order_id = (await sale.order(3)).order.order_id
        await sale.pay(order_id)
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM mail_deliveries"))
        await drained(fresh_pool)

    assert (await sale.show(order_id)).status.value == "paid"
    assert await fresh_pool.fetchval("SELECT count(*) FROM tickets WHERE status = 'valid'") == 3
    assert len(list((tmp_path / "objects").glob("**/*.pdf"))) == 1
    assert await verify(fresh_pool, idle=True) == []
    (mail,) = (tmp_path / "mailbox").glob("**/*.eml")
    text = BytesParser(policy=default).parsebytes(mail.read_bytes()).get_body(("plain",)).get_content()  # pyright: ignore[reportOptionalMemberAccess]
    link, receipt = re.findall(rf"http://tickets\.example/orders/{order_id}/\S+", text)
    assert receipt == f"{link}/receipt.pdf"
    async with running_app(resources_on(fresh_pool, valkey, "", tmp_path)) as app, client_of(app) as client:
        page = await client.get(link)
        assert page.status_code == 200
        assert (await client.get(link[:-1])).status_code == 404


async def test_request_id_of_the_first_message_is_carried_to_the_last(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    sale = await make_sale(fresh_pool)
    async with running_worker(
        resources_on(fresh_pool, valkey, fresh_database, tmp_path), frozenset({"relay", "consume", "render"})
    ):
        order_id = (await sale.order(1)).order.order_id
        await sale.pay(order_id)
        token = request_id.set("request-7")
        await sale.deliver()
        request_id.reset(token)
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM mail_deliveries"))
    rows = await fresh_pool.fetch("SELECT type FROM outbox WHERE request_id = 'request-7' ORDER BY position")
    assert [row["type"] for row in rows] == [
        "payment.notice_received",
        "payment.succeeded",
        "reservation.sold",
        "order.paid",
        "ticket.issued",
    ]


async def test_parts_run_apart_as_they_run_together(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    sale = await make_sale(fresh_pool)
    resources = resources_on(fresh_pool, valkey, fresh_database, tmp_path)
    order_id = (await sale.order(1)).order.order_id
    await sale.pay(order_id)

    async with running_worker(resources, frozenset({"schedule"})):
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM payment_notices"))
        assert await fresh_pool.fetchval("SELECT count(*) FROM broker_messages") == 0
    async with running_worker(resources, frozenset({"relay"})):
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM broker_messages"))
        assert await fresh_pool.fetchval("SELECT count(*) FROM inbox") == 0
    assert (await sale.show(order_id)).status.value == "pending"
    async with running_worker(resources, frozenset({"consume"})):
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM orders WHERE status = 'paid'"))
    assert await fresh_pool.fetchval("SELECT count(*) FROM tickets") == 0


async def test_part_that_does_not_exist_is_refused(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    resources = resources_on(fresh_pool, valkey, fresh_database, tmp_path)
    with pytest.raises(ValueError, match="relais"):
        await run_worker(resources, work_of(resources, SETTINGS), asyncio.Event(), parts=frozenset({"relais"}))


async def test_worker_goes_on_after_its_connections_were_cut(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    sale = await make_sale(fresh_pool)
    async with running_worker(resources_on(fresh_pool, valkey, fresh_database, tmp_path)):
        for _ in range(3):
            order_id = (await sale.order(1)).order.order_id
            await sale.pay(order_id)
            await fresh_pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await until(lambda: _paid_and_mailed(fresh_pool, 3), 60)
        await drained(fresh_pool)
    assert await verify(fresh_pool, idle=True) == []


async def _paid_and_mailed(pool: Any, count: int) -> bool:
    return await pool.fetchval("SELECT count(*) FROM mail_deliveries") == count


async def test_wake_up_never_fails_who_asks(fresh_database: str) -> None:
    away = Notifier("postgresql://fullhouse@127.0.0.1:1/fullhouse")
    away.wake()
    await away.close()
    Notifier("").wake()
    Notifier("").wake_soon()
    there = Notifier(fresh_database)
    for _ in range(100):
        there.wake()
    await there.close()


async def test_what_can_wait_wakes_together_and_what_is_left_at_the_end_wakes_then(fresh_database: str) -> None:
    listener, told = Listener(fresh_database, OUTBOX_CHANNEL), Notifier(fresh_database)
    await listener.arm()
    for _ in range(100):
        told.wake_soon()
    await told.close()
    async with asyncio.timeout(30):
        await listener.wait(60)
    await listener.close()


def test_each_queue_stands_once_in_the_table() -> None:
    assert len(QUEUES) == len(TABLE)
    assert {line.queue: line.types for line in TABLE} == QUEUES
    assert frozenset({"relay", "consume", "render", "schedule", "send"}) == PARTS
