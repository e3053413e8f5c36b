"""Lambda itself takes the messages, in ministack: a sale runs by its own messages, and what fails comes back."""

import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from harness.aws import client_of
from harness.house import House
from harness.sale import Sale
from harness.sources import ROOT
from harness.waiting import until

from fullhouse.infra.brokers import open_broker
from fullhouse.infra.outbox_leases import prepare_leases
from fullhouse.infra.postgres import EVERY_ORGANIZATION, connection
from fullhouse.infra.system import make_id, randomness
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.subscriptions import QUEUES

pytestmark = pytest.mark.chaos

PATIENCE_SECONDS = 100.0
SHIM = f"""
import sys
sys.path.insert(0, {str(ROOT / "src")!r})
from fullhouse.aws.payment_processor import handler
"""


@pytest.fixture
async def mapped(house: House) -> AsyncIterator[House]:
    """Deploy the processor, and map all queues to it; what fails comes back after a second, three times at most."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", SHIM)
    name = house.place.prefix
    mappings: list[str] = []
    async with client_of(house.broker_url, "lambda") as functions:
        made = await functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/processor",
            Handler="index.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=60,
            Environment={"Variables": house.settings()},
        )
        for queue in QUEUES:
            url = await house.queue_url(house.place.name_of(queue))
            await house.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "2"})
            mapping = await functions.create_event_source_mapping(
                EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{house.place.name_of(queue)}",
                FunctionName=made["FunctionArn"],
                BatchSize=10,
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )
            mappings.append(mapping["UUID"])
        yield house
        for mapping in mappings:
            await functions.delete_event_source_mapping(UUID=mapping)
        await functions.delete_function(FunctionName=name)


async def send_what_waits(house: House) -> None:
    broker = open_broker(house.broker_url, pool=house.pool, database_url="", make_id=make_id)
    try:
        await broker.declare(QUEUES)
        async with connection(house.pool, EVERY_ORGANIZATION) as conn:
            await prepare_leases(conn)
        relay = Relay(house.pool, broker, make_id, randomness)
        await relay.send_due()
    finally:
        await broker.close()


async def test_sale_runs_by_its_messages_and_poison_ends_in_the_dead_letter_queue(mapped: House, sale: Sale) -> None:
    poisoned = mapped.place.name_of("tickets.issue")
    await mapped.sqs.send_message(
        QueueUrl=await mapped.queue_url(poisoned),
        MessageBody="no message",
        MessageGroupId="g",
        MessageDeduplicationId="1",
    )
    order_id = (await sale.order(1)).order.order_id
    await sale.pay(order_id)
    await sale.deliver()
    await send_what_waits(mapped)

    async def is_mailed() -> bool:
        return len(mapped.mails_about(order_id)) == 1

    await until(is_mailed, PATIENCE_SECONDS)
    assert (await sale.show(order_id)).status == "paid"

    dead = await mapped.queue_url(mapped.place.dead_name_of("tickets.issue"))
    found: list[Any] = []

    async def is_put_away() -> bool:
        answer = await mapped.sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["All"])
        found.extend(answer.get("Messages", []))
        return bool(found)

    await until(is_put_away, PATIENCE_SECONDS)
    assert (found[0]["Body"], found[0]["Attributes"]["ApproximateReceiveCount"]) == ("no message", "4")
