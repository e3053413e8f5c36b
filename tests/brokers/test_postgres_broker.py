"""What is Postgres's own in its broker: long queues cost no more than short ones, ages are exact, the table refuses."""

import json
from typing import Any
from uuid import uuid4

import pytest
from harness.messages import message

from fullhouse.infra.brokers import open_broker, postgres
from fullhouse.infra.brokers.port import MessageRefused
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.infra.system import make_id

EMPTY_THEN_FULL = ["ANALYZE broker_messages"]
NEVER_ANALYZED: list[str] = []


@pytest.mark.parametrize("before", [NEVER_ANALYZED, EMPTY_THEN_FULL])
@pytest.mark.parametrize("after", [[], ["ANALYZE broker_messages"]])
async def test_receiving_reads_no_more_than_it_takes_whatever_the_statistics(
    fresh_pool: Any, fresh_database: str, before: list[str], after: list[str]
) -> None:
    broker = open_broker("postgres", pool=fresh_pool, database_url=fresh_database, make_id=make_id)
    await broker.declare({"long": {"thing.happened"}, "short": {"thing.ended"}})
    for statement in before:
        await fresh_pool.execute(statement)
    keys = [uuid4() for _ in range(500)]
    for _ in range(5):
        await broker.publish([message(key) for key in keys])
    await broker.publish([message(type_="thing.ended")])
    for statement in after:
        await fresh_pool.execute(statement)

    for queue, count_max in (("long", 1), ("long", 16), ("short", 16)):
        async with transaction(fresh_pool, EVERY_ORGANIZATION, postgres._BY_INDEX_UNHURRIED) as conn:
            plan = await conn.fetchval(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + postgres._RECEIVE, queue, count_max, make_id(), 10.0
            )
        top = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
        # Reading all rows, and for each the first of its key, takes more than seven thousand pages.
        assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 750, json.dumps(plan)
    await broker.close()


async def test_depth_ages_the_oldest_of_a_queue(pool: Any, database_url: str, queue: str) -> None:
    empty = queue + "-empty"
    broker = open_broker("postgres", pool=pool, database_url=database_url, make_id=make_id)
    await broker.declare({queue: {"thing.happened"}, empty: {"thing.happened.never"}})
    await broker.publish([message(), message()])
    await pool.execute(
        "UPDATE broker_messages SET enqueued_at = enqueued_at - interval '1 hour' WHERE queue = $1", queue
    )

    depths = {depth.queue: depth for depth in await broker.depth()}
    await broker.close()

    assert (depths[queue].count, depths[empty].count, depths[empty].oldest_seconds) == (2, 0, 0.0)
    assert 3600 <= (depths[queue].oldest_seconds or 0) < 3700


async def test_refused_message_is_told_apart_from_a_broker_that_is_away(fresh_pool: Any, fresh_database: str) -> None:
    await fresh_pool.execute(
        "ALTER TABLE broker_messages ADD CONSTRAINT no_poison CHECK (body ->> 'type' <> 'poison.happened.v1')"
    )
    broker = open_broker("postgres", pool=fresh_pool, database_url=fresh_database, make_id=make_id)
    await broker.declare({"queue": {"poison.happened", "thing.happened"}})

    with pytest.raises(MessageRefused, match="no_poison"):
        await broker.publish([message(), message(type_="poison.happened")])

    assert await fresh_pool.fetchval("SELECT count(*) FROM broker_messages") == 0
