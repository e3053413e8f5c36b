"""A sale with the real worker, and an endpoint that wants everything: all of it arrives, and no person in it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from harness.receivers import Receiver
from harness.sale import ANA, make_sale
from harness.waiting import until
from harness.web import Seller
from harness.webhooks import Webhooks
from harness.worker import drained, resources_on

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.outgoing import Outside
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id
from fullhouse.operations.verify import verify
from fullhouse.settings import Settings
from fullhouse.webhooks.rules import MESSAGE_TYPES
from fullhouse.workers.run import run_worker
from fullhouse.workers.work import work_of

SETTINGS = Settings(simulated_payments=True, simulated_late_seconds=0, webhook_allow_private=True)


async def test_every_message_of_a_sale_arrives_without_a_person_in_it(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path, receiver: Receiver, outside: Outside
) -> None:
    sale = await make_sale(fresh_pool)
    webhooks = Webhooks(fresh_pool, Seller(sale.made.organization_id, {}), outside)
    await webhooks.endpoint(receiver.url(), *sorted(MESSAGE_TYPES))
    resources = resources_on(fresh_pool, valkey, fresh_database, tmp_path)
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(resources, work_of(resources, SETTINGS, outside), stop))
    try:
        order_id = (await sale.order(2)).order.order_id
        await sale.pay(order_id)
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM mail_deliveries"))
        async with transaction(fresh_pool, sale.made.organization_id) as conn:
            await refund_order(conn, make_id, sale.made.organization_id, order_id, RefundWish())
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM refunds WHERE status = 'succeeded'"))
        await drained(fresh_pool)
        await until(lambda: _all_delivered(fresh_pool))
    finally:
        stop.set()
        await running
    sent = {str(row["message_id"]): row for row in await fresh_pool.fetch("SELECT * FROM outbox")}
    public = {id_ for id_, row in sent.items() if row["type"] in MESSAGE_TYPES}
    assert sorted(receiver.ids()) == sorted(public)
    assert {
        "order.placed",
        "order.paid",
        "order.refunded",
        "payment.succeeded",
        "refund.requested",
        "refund.succeeded",
        "reservation.sold",
        "ticket.issued",
        "ticket.voided",
    } <= {row["type"] for row in sent.values()}
    for request in receiver.received:
        message = from_cloud_event(json.loads(request.body))
        assert message.data == sent[request.headers["webhook-id"]]["data"]
        for secret in (ANA.email, ANA.name, ANA.email.partition("@")[0], "requestid", "FH1"):
            assert secret not in request.body.decode()
    assert await verify(fresh_pool, idle=True) == []


async def _all_delivered(pool: Any) -> bool:
    return not await pool.fetchval("SELECT count(*) FROM webhook_deliveries WHERE status <> 'delivered'")
