"""Several messages share a transaction: each still has its effect once, and one that fails holds up no other."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from harness.messages import message

from fullhouse.core.errors import Conflict, Unavailable
from fullhouse.core.message import Message
from fullhouse.infra.outbox import request_id
from fullhouse.infra.system import randomness
from fullhouse.workers.consume import Consumer
from fullhouse.workers.deal_out import deal_out
from fullhouse.workers.react import Subscription

QUEUE = "things"
TYPES = frozenset({"thing.happened"})


def consumer(parts: Any, handle: Any, together_max: int = 10, **options: Any) -> Consumer:
    subscription = Subscription(QUEUE, TYPES, in_transaction=handle, together_max=together_max, **options)
    return Consumer(parts.pool, parts.broker, subscription, parts.notifier, randomness)


async def write_effect(conn: Any, got: Message) -> None:
    await conn.execute(
        "INSERT INTO effects SELECT $1, $2, $3, pg_current_xact_id()::text",
        got.data["number"],
        got.organization_id,
        request_id.get(),
    )


@pytest.fixture(autouse=True)
async def effects(parts: Any) -> None:
    await parts.pool.execute("CREATE TABLE effects (number int, organization_id uuid, request_id text, xid text)")
    await parts.pool.execute("GRANT SELECT, INSERT ON effects TO fullhouse_app")


async def numbers(parts: Any) -> list[int]:
    return [row["number"] for row in await parts.pool.fetch("SELECT number FROM effects ORDER BY 1")]


async def count(parts: Any, table: str) -> int:
    return await parts.pool.fetchval(f"SELECT count(*) FROM {table}")


async def test_messages_of_one_organization_share_a_transaction_and_those_of_another_do_not(parts: Any) -> None:
    one, other = uuid4(), uuid4()
    sent = [message(number=number, organization_id=one if number < 5 else other) for number in range(8)]
    await parts.broker.publish(sent)

    assert await consumer(parts, write_effect).consume_due() == 8

    rows = await parts.pool.fetch("SELECT organization_id, xid, count(*) FROM effects GROUP BY 1, 2")
    assert {(row["organization_id"], row["count"]) for row in rows} == {(one, 5), (other, 3)}
    assert len({row["xid"] for row in rows}) == 2
    assert {row["request_id"] for row in await parts.pool.fetch("SELECT request_id FROM effects")} == {"request-1"}
    assert (await count(parts, "inbox"), await count(parts, "broker_messages")) == (8, 0)


async def test_messages_delivered_again_have_no_second_effect(parts: Any) -> None:
    organization_id = uuid4()
    sent = [message(number=number, organization_id=organization_id) for number in range(4)]
    await parts.broker.publish(sent[:2])
    await consumer(parts, write_effect).consume_due()
    await parts.broker.publish(sent)
    assert await consumer(parts, write_effect).consume_due() == 4
    assert await numbers(parts) == [0, 1, 2, 3]


async def write_effects(conn: Any, got: Sequence[Message]) -> None:
    await conn.execute(
        "INSERT INTO effects (number, request_id, xid) SELECT unnest($1::int[]), $2, pg_current_xact_id()::text",
        [one.data["number"] for one in got],
        request_id.get(),
    )


async def test_handler_that_takes_several_is_given_the_new_ones_at_once(parts: Any) -> None:
    organization_id = uuid4()
    sent = [message(number=number, organization_id=organization_id) for number in range(6)]
    subscription = Subscription(QUEUE, TYPES, in_transaction_together=write_effects, together_max=10)
    worker = Consumer(parts.pool, parts.broker, subscription, parts.notifier, randomness)
    await parts.broker.publish(sent[:1])
    assert await worker.consume_due() == 1
    await parts.broker.publish(sent)
    assert await worker.consume_due() == 6

    assert await numbers(parts) == [0, 1, 2, 3, 4, 5]
    rows = await parts.pool.fetch("SELECT count(*) AS count, request_id FROM effects GROUP BY xid, request_id")
    assert sorted(tuple(row) for row in rows) == [(1, "request-1"), (5, None)]
    assert (await count(parts, "inbox"), await count(parts, "broker_messages")) == (6, 0)


async def test_one_of_several_that_fails_is_judged_alone_by_a_handler_that_takes_all(parts: Any) -> None:
    organization_id = uuid4()
    await parts.broker.publish([message(number=number, organization_id=organization_id) for number in range(4)])

    async def handle(conn: Any, got: Sequence[Message]) -> None:
        await write_effects(conn, got)
        if any(one.data["number"] == 2 for one in got):
            raise Conflict

    subscription = Subscription(QUEUE, TYPES, in_transaction_together=handle, together_max=10)
    await Consumer(parts.pool, parts.broker, subscription, parts.notifier, randomness).consume_due()
    assert await numbers(parts) == [0, 1, 3]
    assert (await count(parts, "inbox"), await count(parts, "dead_letters")) == (3, 1)


async def test_one_that_fails_is_judged_alone_and_the_others_have_their_effect_once(parts: Any) -> None:
    organization_id = uuid4()
    sent = [message(number=number, organization_id=organization_id) for number in range(5)]
    await parts.broker.publish(sent)

    async def handle(conn: Any, got: Message) -> None:
        await write_effect(conn, got)
        if got.data["number"] == 2:
            raise Conflict

    assert await consumer(parts, handle).consume_due() == 5

    assert await numbers(parts) == [0, 1, 3, 4]
    assert (await count(parts, "inbox"), await count(parts, "broker_messages")) == (4, 0)
    dead = await parts.pool.fetch("SELECT message_id, attempts FROM dead_letters")
    assert [tuple(row) for row in dead] == [(sent[2].message_id, 1)]


async def test_body_that_is_no_message_spoils_nothing_for_the_others(parts: Any) -> None:
    organization_id = uuid4()
    await parts.broker.publish([message(number=number, organization_id=organization_id) for number in range(3)])
    await parts.pool.execute("UPDATE broker_messages SET body = '{}' WHERE body -> 'data' ->> 'number' = '1'")
    await consumer(parts, write_effect).consume_due()
    assert await numbers(parts) == [0, 2]
    assert await count(parts, "dead_letters") == 1


async def test_part_that_is_away_lets_all_of_them_wait(parts: Any) -> None:
    organization_id = uuid4()
    await parts.broker.publish([message(number=number, organization_id=organization_id) for number in range(3)])
    tries = 0

    async def handle(conn: Any, got: Message) -> None:
        nonlocal tries
        tries += 1
        await write_effect(conn, got)
        if tries == 2:
            raise Unavailable

    worker = consumer(parts, handle)
    assert await worker.consume_due() == 3
    assert (tries, await numbers(parts), await count(parts, "broker_messages")) == (2, [], 3)
    await parts.pool.execute("UPDATE broker_messages SET visible_at = '-infinity'")
    assert await worker.consume_due() == 3
    assert (await numbers(parts), await count(parts, "broker_messages")) == ([0, 1, 2], 0)


async def test_reaction_with_keys_of_its_own_leaves_no_inbox_row(parts: Any) -> None:
    organization_id = uuid4()
    for sent in (
        message(number=7, organization_id=organization_id),
        message(number=8, organization_id=organization_id),
    ):
        await parts.broker.publish([sent])
        await consumer(parts, write_effect, is_repeatable=True).consume_due()
    await parts.broker.publish([message(number=9, organization_id=organization_id) for _ in range(2)])
    await consumer(parts, write_effect, is_repeatable=True).consume_due()
    assert await numbers(parts) == [7, 8, 9, 9]
    assert await count(parts, "inbox") == 0


async def test_no_hand_has_two_organizations_in_one_share_and_no_more_hands_work_than_there_are(parts: Any) -> None:
    organizations = [uuid4() for _ in range(5)]
    sent = [message(number=number, organization_id=one) for number in range(7) for one in organizations]
    await parts.broker.publish(sent)
    deliveries = await parts.broker.receive(QUEUE, count_max=100, lease_seconds=30)

    dealt = deal_out(deliveries, 3, 4)

    assert len(dealt) == 3
    shares = [share for hand in dealt for share in hand]
    assert sorted(map(len, shares)) == [3] * 5 + [4] * 5
    assert all(len({delivery.organization_id for delivery in share}) == 1 for share in shares)
    assert {delivery.message_id for share in shares for delivery in share} == {one.message_id for one in sent}
    assert deal_out([], 3, 4) == []


async def test_a_broker_that_may_wait_is_told_of_what_was_done_meanwhile_too(
    parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    acknowledge = parts.broker.acknowledge

    async def counting(deliveries: Sequence[Any]) -> None:
        told.append(len(deliveries))
        await acknowledge(deliveries)

    async def handle(_got: Message) -> None:
        """Be done at once."""

    monkeypatch.setattr(parts.broker, "acknowledge", counting)
    await parts.broker.publish([message(number=number) for number in range(8)])
    patient = Subscription(QUEUE, TYPES, outside=handle, concurrency_max=8, telling_seconds=0.2, announces=False)
    assert await Consumer(parts.pool, parts.broker, patient, parts.notifier, randomness).consume_due() == 8
    assert told == [8]
    assert await count(parts, "broker_messages") == 0
