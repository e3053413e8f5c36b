"""What waits in a queue is known to metrics and to ``verify`` on every broker, as far as the broker tells."""

from typing import Any

import pytest
from harness.messages import message
from harness.sale import Sale, make_sale

from fullhouse.infra.brokers.port import BrokerUnavailable, QueueDepth
from fullhouse.infra.postgres import EVERY_ORGANIZATION, connection
from fullhouse.infra.queue_depths import load_depths, note_depths
from fullhouse.infra.system import make_id, now
from fullhouse.infra.telemetry import render_metrics
from fullhouse.operations.verify import verify
from fullhouse.web.gauges import Gauges
from fullhouse.workers.measure_queues import measure_queues

ONE, OTHER = make_id(), make_id()


class Away:
    """A broker that cannot be reached."""

    async def depth(self) -> list[QueueDepth]:

        raise BrokerUnavailable


@pytest.fixture
async def sale(fresh_pool: Any) -> Sale:
    return await make_sale(fresh_pool)


async def note(pool: Any, measured_by: Any, count: int, oldest: float | None, queue: str = "tickets.issue") -> None:
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        await note_depths(conn, measured_by, "amqp", [QueueDepth(queue, count, oldest)])


async def noted(pool: Any) -> list[tuple[str, int, float | None]]:
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        return [(depth.queue, depth.count, depth.oldest_seconds) for depth in await load_depths(conn)]


@pytest.mark.parametrize("broker_name", ["rabbitmq", "kafka", "sqs"])
async def test_what_a_worker_measures_on_a_broker_stands_in_the_metrics(
    open_brokers: Any, broker_name: str, queue: str, sale: Sale
) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    await broker.publish([message(), message()])

    assert await measure_queues(sale.pool, broker, broker_name, make_id())

    gauges = Gauges(sale.pool, now, sale.office.desks)
    await gauges.refresh()
    text = render_metrics().decode()
    assert f'fullhouse_queue_depth{{queue="{queue}"}} 2.0' in text
    assert f'fullhouse_queue_measured_seconds{{queue="{queue}"}}' in text
    # RabbitMQ tells no age of what nobody has taken yet, and CloudWatch is some minutes late.
    assert (f'fullhouse_queue_oldest_seconds{{queue="{queue}"}}' in text) == (broker_name == "kafka")


async def test_workers_each_know_a_part_and_the_most_counts(fresh_pool: Any) -> None:
    await note(fresh_pool, ONE, 3, None)
    await note(fresh_pool, OTHER, 5, 12.0)
    assert await noted(fresh_pool) == [("tickets.issue", 5, 12.0)]
    await fresh_pool.execute(
        "UPDATE queue_depths SET measured_at = measured_at - interval '2 minutes' WHERE measured_by = $1", OTHER
    )
    assert await noted(fresh_pool) == [("tickets.issue", 3, None)]
    await fresh_pool.execute("UPDATE queue_depths SET measured_at = measured_at - interval '1 hour'")
    await note(fresh_pool, ONE, 0, 0.0)
    assert await noted(fresh_pool) == [("tickets.issue", 0, 0.0)]
    assert await fresh_pool.fetchval("SELECT count(*) FROM queue_depths") == 1


async def test_broker_that_is_away_lets_what_is_known_grow_old(fresh_pool: Any) -> None:
    await note(fresh_pool, ONE, 3, None)
    before = await fresh_pool.fetchval("SELECT measured_at FROM queue_depths")
    away: Any = Away()
    assert not await measure_queues(fresh_pool, away, "amqp", ONE)
    assert await fresh_pool.fetchval("SELECT measured_at FROM queue_depths") == before


async def failing(pool: Any, **options: Any) -> list[str]:
    return [finding.check for finding in await verify(pool, **options)]


async def test_message_is_missed_only_where_its_queue_was_found_empty_long_after(sale: Sale) -> None:
    pool = sale.pool
    await sale.pay((await sale.order(2)).order.order_id)
    await sale.deliver()
    await sale.work()  # reacts without the inbox of the queues, and puts nothing into them
    await pool.execute("UPDATE outbox SET sent_at = sent_at - interval '5 minutes' WHERE sent_at IS NOT NULL")
    for queue in ("payments.settle", "tickets.issue", "receipts.issue"):
        await note(pool, ONE, 1, None, queue)
    assert "message_is_reacted_to" not in await failing(pool)
    for queue in ("payments.settle", "tickets.issue", "receipts.issue"):
        await note(pool, ONE, 0, 0.0, queue)
    assert "message_is_reacted_to" not in await failing(pool)
    assert "message_is_reacted_to" in await failing(pool, idle=True)
    await pool.execute("UPDATE outbox SET sent_at = sent_at - interval '10 minutes' WHERE sent_at IS NOT NULL")
    assert "message_is_reacted_to" in await failing(pool)


async def test_queue_that_is_not_worked_off_is_found_where_its_age_is_known(fresh_pool: Any) -> None:
    await note(fresh_pool, ONE, 4, None)
    assert "queue_is_worked_off" not in await failing(fresh_pool)
    await note(fresh_pool, ONE, 4, 900.0)
    assert "queue_is_worked_off" in await failing(fresh_pool)
