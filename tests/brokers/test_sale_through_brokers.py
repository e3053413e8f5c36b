"""A whole sale through each broker, from the payment to the mail, wherever the worker dies on the way."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.kafka_server import remove_topics
from harness.processes import Program, clean_environment
from harness.rabbitmq import remove_installation
from harness.sale import Sale, make_sale
from harness.services import SERVICES, with_prefix
from harness.waiting import until
from harness.worker import drained, resources_on, running_worker

from fullhouse.operations.verify import verify
from fullhouse.workers.subscriptions import QUEUES

CLASSES = {
    "rabbitmq": "fullhouse.infra.brokers.rabbitmq:RabbitMQBroker",
    "kafka": "fullhouse.infra.brokers.kafka:KafkaBroker",
    "sqs": "fullhouse.infra.brokers.sqs:SqsBroker",
}
STEPS = [
    "after fullhouse.workers.relay_outbox:take_leases",
    "before BROKER.publish",
    "after BROKER.publish",
    "after fullhouse.workers.relay_outbox:mark_sent",
    "before fullhouse.workers.relay_outbox:return_leases",
    "after fullhouse.workers.react:first_time@payments.settle",
    "before BROKER.acknowledge@payments.settle",
    "after BROKER.acknowledge@payments.settle",
    "after fullhouse.workers.subscriptions:issue_tickets_together",
    "before BROKER.acknowledge@tickets.issue",
    "after fullhouse.tickets.mail_tickets:render_sale",
    "after fullhouse.infra.mail_folder:MailboxFolder.send",
    "before BROKER.acknowledge@tickets.deliver",
]


@pytest.fixture(params=sorted(CLASSES))
def broker_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def installation_url(broker_name: str) -> AsyncIterator[str]:
    """Name an installation of its own on the broker."""
    url = with_prefix(SERVICES[broker_name].needed_url(), f"sale{uuid4().hex[:10]}")
    url += "&partitions=1" if broker_name == "kafka" else ""
    yield url
    if broker_name == "kafka":
        await remove_topics(url)
    if broker_name == "rabbitmq":
        await remove_installation(url, QUEUES)


@pytest.fixture
async def sale(fresh_pool: Any) -> Sale:
    return await make_sale(fresh_pool)


@pytest.fixture
def parts(sale: Sale, valkey: Any, fresh_database: str, installation_url: str, tmp_path: Path) -> Any:
    return replace(resources_on(sale.pool, valkey, fresh_database, tmp_path), broker_url=installation_url)


async def delivered(sale: Sale, parts: Any) -> None:
    """Let a worker go on until the mail is out and nothing is under way."""
    async with running_worker(parts):
        await until(lambda: sale.pool.fetchval("SELECT count(*) FROM mail_deliveries"), 90)
        await drained(sale.pool)


async def assert_delivered_once(sale: Sale, order_id: UUID, folder: Path) -> None:
    assert (await sale.show(order_id)).status.value == "paid"
    tickets = await sale.pool.fetch("SELECT generation, status FROM tickets WHERE order_id = $1", order_id)
    assert [tuple(row) for row in tickets] == [(1, "valid")] * 2
    assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}
    assert await sale.stock() == (10, 0, 2, 0)
    for name in ("payment.succeeded", "order.paid", "reservation.sold", "ticket.issued"):
        assert len(await sale.messages(name)) == 1, name
    assert len(list((folder / "mailbox").glob("**/*.eml"))) == 1
    assert len(list((folder / "objects").glob("**/*.pdf"))) == 1
    assert await sale.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await sale.pool.fetchval("SELECT count(*) FROM broker_messages") == 0
    assert await verify(sale.pool) == []


async def test_sale_goes_from_payment_to_mail_through_the_broker(sale: Sale, parts: Any, tmp_path: Path) -> None:
    order_id = (await sale.order(2)).order.order_id
    await sale.pay(order_id)
    await delivered(sale, parts)
    await assert_delivered_once(sale, order_id, tmp_path)
    # Whoever scrapes the API sees the queues of this broker, though only the worker speaks to it.
    assert set(QUEUES) <= {row["queue"] for row in await sale.pool.fetch("SELECT queue FROM queue_depths")}


Crash = Callable[[str], Awaitable[None]]


@pytest.fixture
def crash(parts: Any, fresh_database: str, valkey_url: str, tmp_path: Path) -> Crash:
    """Run a worker process on the broker until it is killed at the step, and let its leases on the outbox run out."""

    async def run(step: str) -> None:
        module = [sys.executable, "-m", "harness.crashing_worker"]
        command = [*module, fresh_database, valkey_url, str(tmp_path), step, parts.broker_url]
        program = Program(command, tmp_path, clean_environment(PYTHONPATH=_path_of_tests()))
        try:
            for _ in range(1_800):
                if program.process.poll() is not None:
                    break
                await asyncio.sleep(0.05)
        finally:
            program.end()
        assert program.process.returncode == -signal.SIGKILL, program.text()
        await parts.pool.execute("UPDATE outbox_leases SET leased_until = '-infinity'")

    return run


def _path_of_tests() -> str:
    """Return where the harness is, and with it where the product was imported from."""
    return ":".join([str(Path(__file__).parents[1]), *(path for path in sys.path if path.endswith("src"))])


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("step", STEPS)
async def test_paid_order_is_delivered_once_through_the_broker_wherever_the_worker_dies(
    sale: Sale, parts: Any, crash: Crash, broker_name: str, step: str, tmp_path: Path
) -> None:
    order_id = (await sale.order(2)).order.order_id
    await sale.pay(order_id)

    await crash(step.replace("BROKER", CLASSES[broker_name]))
    assert await verify(sale.pool) == []

    await delivered(sale, parts)
    await assert_delivered_once(sale, order_id, tmp_path)
