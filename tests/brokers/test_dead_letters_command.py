"""``fullhouse dead-letters`` lists, shows, replays and discards, whichever broker the house runs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.kafka_server import remove_topics
from harness.messages import message
from harness.processes import Program, clean_environment, fullhouse
from harness.rabbitmq import remove_installation
from harness.receiving import received
from harness.services import SERVICES, with_prefix
from harness.terminal import Operator

from fullhouse.infra.brokers import POSTGRES, open_broker
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.brokers.dead_letters import list_dead_letters
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.system import make_id
from fullhouse.workers.subscriptions import QUEUES


@pytest.fixture
def broker_url() -> str:
    """Name the broker of the test; those of one test only have a server."""
    return POSTGRES


@pytest.fixture
def operator(tmp_path: Path, fresh_database: str, broker_url: str) -> Operator:
    return Operator("dead-letters", fresh_database, tmp_path, FULLHOUSE_BROKER_URL=broker_url)


@pytest.fixture
async def broker(fresh_pool: Any, fresh_database: str, broker_url: str) -> AsyncIterator[Broker]:
    opened = open_broker(broker_url, pool=fresh_pool, database_url=fresh_database, make_id=make_id)
    await opened.declare(QUEUES)
    yield opened
    await opened.close()


async def put_away(broker: Broker, pool: Any, queue: str, reason: str) -> str:
    await broker.requeue(queue, to_cloud_event(message(type_=min(QUEUES[queue]), number=1)))
    await broker.dead_letter(await received(broker, queue), reason)
    return str((await list_dead_letters(pool, queue=queue))[0].dead_letter_id)


async def test_operator_lists_shows_and_replays(operator: Operator, broker: Broker, fresh_pool: Any) -> None:
    issue = await put_away(broker, fresh_pool, "tickets.issue", "not_found: no order")
    settle = await put_away(broker, fresh_pool, "payments.settle", "ValueError: odd")

    listed = (await operator.run("list")).splitlines()
    assert [line.split("  ")[0] for line in listed] == [settle, issue]
    assert "tickets.issue  not_found: no order" in listed[1]
    assert (await operator.run("list", "--queue", "tickets.issue")).splitlines() == listed[1:]
    shown = await operator.run("show", issue)
    assert "reason       not_found: no order" in shown
    assert '"type": "order.paid.v1"' in shown

    assert await operator.run("replay", issue) == f"Put back into tickets.issue: {issue}\n"
    assert await fresh_pool.fetchval("SELECT queue FROM broker_messages") == "tickets.issue"
    assert issue not in await operator.run("list")
    assert "dead letter" in await operator.run("replay", issue, code=2)
    assert await operator.run("replay", "--all") == f"Put back into payments.settle: {settle}\n"
    assert await operator.run("list") == "No dead letter waits.\n"


async def test_operator_discards(operator: Operator, broker: Broker, fresh_pool: Any) -> None:
    letter = await put_away(broker, fresh_pool, "tickets.issue", "not_found: no order")
    assert await operator.run("discard", letter) == f"Discarded: {letter}\n"
    assert await operator.run("list") == "No dead letter waits.\n"
    assert "resolution   discarded" in await operator.run("show", letter)
    assert await fresh_pool.fetchval("SELECT count(*) FROM broker_messages") == 0


class TestOtherBrokers:
    """The same commands where the queues are elsewhere."""

    @pytest.fixture(params=sorted(SERVICES))
    async def broker_url(self, request: pytest.FixtureRequest) -> AsyncIterator[str]:
        url = with_prefix(SERVICES[request.param].needed_url(), f"dead{uuid4().hex[:10]}")
        yield f"{url}&partitions=1" if request.param == "kafka" else url
        if request.param == "kafka":
            await remove_topics(url)
        if request.param == "rabbitmq":
            await remove_installation(url, QUEUES)

    async def test_operator_replays_one_letter_and_discards_another(
        self, operator: Operator, broker: Broker, fresh_pool: Any
    ) -> None:
        again = await put_away(broker, fresh_pool, "tickets.issue", "not_found: no order")
        gone = await put_away(broker, fresh_pool, "payments.settle", "ValueError: odd")
        assert [line.split("  ")[0] for line in (await operator.run("list")).splitlines()] == [gone, again]
        assert '"type": "order.paid.v1"' in await operator.run("show", again)

        assert await operator.run("replay", again) == f"Put back into tickets.issue: {again}\n"
        assert await operator.run("discard", gone) == f"Discarded: {gone}\n"
        assert await operator.run("list") == "No dead letter waits.\n"

        delivery = await received(broker, "tickets.issue")
        assert (delivery.attempts, delivery.body["type"]) == (1, "order.paid.v1")
        await broker.acknowledge([delivery])
        assert await broker.receive("payments.settle", count_max=1, lease_seconds=30) == []


async def test_mistakes_are_one_clear_line(operator: Operator) -> None:
    for arguments in (("show", str(uuid4())), ("show", "x"), ("replay",), ("list", "--queue", "none"), ("discard",)):
        text = await operator.run(*arguments, code=2)
        assert text.startswith("fullhouse: ")
        assert text.count("\n") == 1


async def test_operator_deals_with_what_the_broker_refused(operator: Operator, fresh_pool: Any, tmp_path: Path) -> None:
    again, gone = uuid4(), uuid4()
    await fresh_pool.executemany(
        """
        INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, retry_at, attempts,
                            last_error)
        VALUES (gen_random_uuid(), $1, 1, gen_random_uuid(), 'thing.happened', 1, '{}', 'infinity', 8, 'too large')
        """,
        [(again,), (gone,)],
    )
    listed = await operator.run("list", "--queue", "outbox")
    assert (listed.count("too large"), str(again) in listed, str(gone) in listed) == (2, True, True)
    assert "thing.happened.v1" in await operator.run("show", str(gone))
    assert f"Put back into outbox: {again}" in await operator.run("replay", str(again))
    assert f"Discarded: {gone}" in await operator.run("discard", str(gone))

    rows = await fresh_pool.fetch("SELECT message_id, attempts, retry_at FROM outbox")
    assert [tuple(row) for row in rows] == [(again, 0, None)]
    assert await fresh_pool.fetchval("SELECT resolution FROM dead_letters WHERE message_id = $1", gone) == "discarded"
    # Once as a process of its own, as people start it.
    program = Program(
        fullhouse("dead-letters", "list", "--queue", "outbox"), tmp_path, clean_environment(**operator.settings)
    )
    try:
        assert await asyncio.to_thread(program.wait) == 0
        assert "No dead letter waits." in program.text()
    finally:
        program.end()
