"""The relay loses nothing, keeps the order of a key, and parks what the broker will never take."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.messages import PoisonHappened, ThingHappened
from harness.waiting import until

from fullhouse.core.message import Message
from fullhouse.infra import outbox, outbox_leases
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable
from fullhouse.infra.outbox_parked import discard_parked, list_parked, measure_outbox, replay_parked
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener
from fullhouse.workers.relay_outbox import REFUSALS_MAX, Relay

LISTENING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN%outbox%' AND state = 'idle'
    """


async def prepared(parts: Any) -> Relay:
    async with transaction(parts.pool, EVERY_ORGANIZATION) as conn:
        await outbox_leases.prepare_leases(conn)
    return parts.relay()


async def test_committed_facts_are_sent_in_order_and_marked(parts: Any) -> None:
    relay = await prepared(parts)
    key = uuid4()
    for number in range(600):
        await parts.commit(ThingHappened(number, key))

    assert await relay.send_due() == 600

    assert await parts.queued_numbers() == list(range(600))
    assert await parts.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0
    assert await parts.pool.fetchval("SELECT count(*) FROM outbox_leases WHERE token IS NOT NULL") == 0
    assert await relay.send_due() == 0


async def test_rolled_back_facts_are_never_sent(parts: Any) -> None:
    relay = await prepared(parts)
    with pytest.raises(ZeroDivisionError):
        await append_and_fail(parts)
    assert await relay.send_due() == 0
    assert await parts.queued_numbers() == []


async def append_and_fail(parts: Any) -> None:
    async with transaction(parts.pool, EVERY_ORGANIZATION) as conn:
        await outbox.append(conn, make_id, [ThingHappened(1)])
        raise ZeroDivisionError


async def test_commit_that_comes_late_is_not_passed_over(parts: Any) -> None:
    relay = await prepared(parts)
    early, late = ThingHappened(1), ThingHappened(2)
    async with transaction(parts.pool, EVERY_ORGANIZATION) as slow:
        await outbox.append(slow, make_id, [early])
        await parts.commit(late)
        assert await relay.send_due() == 1
    assert await relay.send_due() == 1
    assert await parts.queued_numbers() == [2, 1]


async def test_several_relays_at_once_send_each_message_once_in_order_per_key(parts: Any) -> None:
    relays = [await prepared(parts) for _ in range(6)]
    keys = [uuid4() for _ in range(40)]
    start = asyncio.Barrier(len(relays) + 1)

    async def write() -> None:
        await start.wait()
        for number in range(25):
            await parts.commit(*(ThingHappened(number, key) for key in keys))

    async def send(relay: Relay) -> int:
        await start.wait()
        sent = 0
        while await parts.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL") < 1000:
            sent += await relay.send_due()
        return sent

    counts = await asyncio.gather(write(), *map(send, relays))

    assert sum(count for count in counts if count is not None) == 1000
    rows = await parts.pool.fetch(
        "SELECT key, body -> 'data' ->> 'number' AS number FROM broker_messages ORDER BY position"
    )
    for key in keys:
        assert [int(row["number"]) for row in rows if row["key"] == key] == list(range(25))


class LosesTheAnswer:
    """A broker whose confirmation is lost after it took the batch."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    async def publish(self, messages: list[Message]) -> None:
        await self.broker.publish(messages)
        raise BrokerUnavailable


async def test_batch_whose_confirmation_was_lost_is_sent_again_and_stands_once_in_the_queue(parts: Any) -> None:
    relay = await prepared(parts)
    await parts.commit(ThingHappened(1), ThingHappened(2))
    deaf = Relay(parts.pool, LosesTheAnswer(parts.broker), make_id, randomness)  # pyright: ignore[reportArgumentType]

    with pytest.raises(BrokerUnavailable):
        await deaf.send_due()
    assert await parts.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 2

    assert await relay.send_due() == 2
    assert sorted(await parts.queued_numbers()) == [1, 2]


async def test_partitions_of_a_relay_that_died_are_sent_when_its_lease_ends(parts: Any) -> None:
    relay = await prepared(parts)
    await parts.commit(ThingHappened(1))
    async with transaction(parts.pool, EVERY_ORGANIZATION) as conn:
        dead = make_id()
        assert len(await outbox_leases.take_leases(conn, dead, count_max=64, lease_seconds=3600)) == 1
    assert await relay.send_due() == 0

    await parts.pool.execute("UPDATE outbox_leases SET leased_until = clock_timestamp() WHERE token = $1", dead)
    assert await relay.send_due() == 1
    async with transaction(parts.pool, EVERY_ORGANIZATION) as conn:
        assert await outbox_leases.renew_leases(conn, dead, list(range(64)), 5) == []


class StopsInMidBatch:
    """A broker that freezes before it publishes, for longer than the lease, as a stopped process does."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.published: list[list[int]] = []

    async def publish(self, messages: list[Message]) -> None:
        await self.parts.broker.publish(messages)
        self.published.append([message.data["number"] for message in messages])  # pyright: ignore[reportArgumentType]
        await self.parts.pool.execute("UPDATE outbox_leases SET leased_until = '-infinity'")
        other = self.parts.relay()
        assert await other.send_due() > 0


async def test_relay_that_lost_its_lease_sends_no_further_batch(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The lease is taken away here at once; for a process that is stopped, its clock says that this may have happened.
    monkeypatch.setattr("fullhouse.workers.relay_outbox.RENEW_SECONDS", -1.0)
    monkeypatch.setattr("fullhouse.workers.relay_outbox.BATCH_COUNT_MAX", 256)
    await prepared(parts)
    key = uuid4()
    await parts.commit(*(ThingHappened(number, key) for number in range(300)))
    frozen = StopsInMidBatch(parts)

    await Relay(parts.pool, frozen, make_id, randomness).send_due()  # pyright: ignore[reportArgumentType]

    assert [len(batch) for batch in frozen.published] == [256]
    assert await parts.queued_numbers() == list(range(300))


async def test_poison_is_parked_after_its_tries_and_only_its_key_waited(parts: Any) -> None:
    await parts.pool.execute(
        "ALTER TABLE broker_messages ADD CONSTRAINT no_poison CHECK (body ->> 'type' <> 'poison.happened.v1')"
    )
    relay = await prepared(parts)
    key = uuid4()
    await parts.commit(ThingHappened(1, key), PoisonHappened(2, key), ThingHappened(3, key), ThingHappened(4))

    assert await relay.send_due() == 2
    assert sorted(await parts.queued_numbers()) == [1, 4]
    await parts.commit(ThingHappened(5, key))
    assert await relay.send_due() == 0

    for _ in range(REFUSALS_MAX - 1):
        await parts.pool.execute("UPDATE outbox SET retry_at = clock_timestamp() WHERE retry_at IS NOT NULL")
        await relay.send_due()

    assert sorted(await parts.queued_numbers()) == [1, 3, 4, 5]
    row = await parts.pool.fetchrow("SELECT * FROM outbox WHERE parked_at IS NOT NULL")
    assert (row["type"], row["attempts"], row["sent_at"], row["retry_at"]) == (
        "poison.happened",
        REFUSALS_MAX,
        None,
        None,
    )
    assert "no_poison" in row["last_error"]


async def test_key_of_a_type_that_waits_stays_behind_its_parked_message_until_somebody_decides(parts: Any) -> None:
    await parts.pool.execute(
        "ALTER TABLE broker_messages ADD CONSTRAINT no_poison CHECK (body ->> 'type' <> 'poison.happened.v1')"
    )
    await prepared(parts)
    relay = Relay(parts.pool, parts.broker, make_id, randomness, {"poison.happened"})
    sent_again, discarded = uuid4(), uuid4()
    await parts.commit(PoisonHappened(1, sent_again), ThingHappened(2, sent_again), ThingHappened(3))
    await parts.commit(PoisonHappened(4, discarded), ThingHappened(5, discarded))

    await relay.send_due()
    for _ in range(REFUSALS_MAX - 1):
        await parts.pool.execute("UPDATE outbox SET retry_at = clock_timestamp() WHERE retry_at IS NOT NULL")
        await relay.send_due()
    await relay.send_due()

    assert await parts.queued_numbers() == [3]
    parked = await list_parked(parts.pool)
    assert {letter.key: letter.attempts for letter in parked} == dict.fromkeys([sent_again, discarded], REFUSALS_MAX)
    assert all("no_poison" in letter.reason for letter in parked)
    async with transaction(parts.pool, EVERY_ORGANIZATION) as conn:
        depth = await measure_outbox(conn)
    assert (depth.count, depth.parked_count) == (2, 2)

    ids = {letter.key: letter.message_id for letter in parked}
    assert await discard_parked(parts.pool, ids[discarded]) is not None
    assert await discard_parked(parts.pool, ids[discarded]) is None
    assert await relay.send_due() == 1
    assert await parts.queued_numbers() == [3, 5]
    row = await parts.pool.fetchrow("SELECT * FROM dead_letters")
    assert (row["queue"], row["message_id"], row["resolution"]) == ("outbox", ids[discarded], "discarded")

    await parts.pool.execute("ALTER TABLE broker_messages DROP CONSTRAINT no_poison")
    assert await replay_parked(parts.pool, ids[sent_again]) is not None
    assert await relay.send_due() == 2
    assert await parts.queued_numbers() == [3, 5, 1, 2]
    assert await replay_parked(parts.pool, ids[sent_again]) is None
    assert await list_parked(parts.pool) == []


class CountsBatches:
    """A broker that counts what it is given, and lets something more happen during the first batch."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.batches: list[int] = []

    async def publish(self, messages: list[Message]) -> None:
        self.batches.append(len(messages))
        if len(self.batches) == 1:
            await self.parts.commit(ThingHappened(1, messages[0].key))
        await self.parts.broker.publish(messages)


async def test_round_sends_all_partitions_and_then_waits_for_more_to_come_together(
    parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fullhouse.workers.relay_outbox.TOGETHER_SECONDS", 3600.0)
    await prepared(parts)
    await parts.commit(*(ThingHappened(0, UUID(int=partition)) for partition in range(outbox.PARTITIONS)))
    counting, stop = CountsBatches(parts), asyncio.Event()
    listener = Listener("", OUTBOX_CHANNEL)
    relay = Relay(parts.pool, counting, make_id, randomness)  # pyright: ignore[reportArgumentType]
    running = asyncio.create_task(relay.run_until(stop, listener))

    async def all_sent() -> bool:
        return await parts.pool.fetchval(
            "SELECT count(*) = $1 FROM outbox WHERE sent_at IS NOT NULL", outbox.PARTITIONS
        ) and not await parts.pool.fetchval("SELECT count(*) FROM outbox_leases WHERE token IS NOT NULL")

    await until(all_sent)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert counting.batches == [outbox.PARTITIONS // 2] * 2
    assert await parts.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 1


async def test_wake_up_makes_the_relay_send_without_waiting_for_its_look(
    parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fullhouse.workers.relay_outbox.POLL_SECONDS", 3600.0)
    stop = asyncio.Event()
    listener = Listener(parts.url, OUTBOX_CHANNEL)
    running = asyncio.create_task(parts.relay().run_until(stop, listener))
    await until(lambda: parts.pool.fetchval(LISTENING))

    await parts.commit(ThingHappened(1))
    parts.notifier.wake()
    await until(parts.queued_numbers)

    stop.set()
    parts.notifier.wake()
    await running
    await listener.close()
