"""Consumers react once in the database, retry what may pass, and put away what will not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import structlog
from harness.messages import message

from fullhouse.core.errors import Conflict, Invalid, Unavailable
from fullhouse.core.message import Message
from fullhouse.infra.outbox import request_id
from fullhouse.infra.system import randomness
from fullhouse.workers.consume import Consumer
from fullhouse.workers.errors import ATTEMPTS_MAX
from fullhouse.workers.react import Subscription

QUEUE = "things"
TYPES = frozenset({"thing.happened"})


def consumer(parts: Any, **options: Any) -> Consumer:
    return Consumer(parts.pool, parts.broker, Subscription(QUEUE, TYPES, **options), parts.notifier, randomness)


@pytest.fixture
async def effects(parts: Any) -> Callable[[], Awaitable[list[int]]]:
    """Make a table that handlers write into, and return what reads it."""
    await parts.pool.execute("CREATE TABLE effects (number int); GRANT INSERT ON effects TO fullhouse_app")

    async def read() -> list[int]:
        return [row["number"] for row in await parts.pool.fetch("SELECT number FROM effects ORDER BY 1")]

    return read


async def write_effect(conn: Any, got: Message) -> None:
    await conn.execute("INSERT INTO effects VALUES ($1)", got.data["number"])


async def waiting_count(parts: Any) -> int:
    return await parts.pool.fetchval("SELECT count(*) FROM broker_messages")


async def test_effect_and_inbox_row_commit_together_and_the_message_is_gone(parts: Any, effects: Any) -> None:
    sent = message(number=1)
    await parts.broker.publish([sent])

    assert await consumer(parts, in_transaction=write_effect).consume_due() == 1

    assert await effects() == [1]
    assert await waiting_count(parts) == 0
    row = await parts.pool.fetchrow("SELECT * FROM inbox")
    assert (row["organization_id"], row["source"], row["id"]) == (sent.organization_id, QUEUE, str(sent.message_id))


async def test_message_delivered_again_has_no_second_effect(parts: Any, effects: Any) -> None:
    sent = message(number=1)
    for _ in range(3):
        await parts.broker.publish([sent])
        assert await consumer(parts, in_transaction=write_effect).consume_due() == 1
    assert await effects() == [1]


async def test_same_message_at_two_consumers_at_once_has_one_effect(parts: Any, effects: Any) -> None:
    sent = message(number=1)
    start = asyncio.Barrier(2)

    async def handle(conn: Any, got: Message) -> None:
        await write_effect(conn, got)

    async def deliver(queue_consumer: Consumer) -> None:
        deliveries = await parts.broker.receive(QUEUE, count_max=1, lease_seconds=30)
        await parts.pool.execute("UPDATE broker_messages SET visible_at = '-infinity'")
        await start.wait()
        await queue_consumer._handle(deliveries[0])

    await parts.broker.publish([sent])
    await asyncio.gather(*(deliver(consumer(parts, in_transaction=handle)) for _ in range(2)))
    assert await effects() == [1]


async def test_handler_that_fails_leaves_no_effect_and_is_tried_again(parts: Any, effects: Any) -> None:
    await parts.broker.publish([message(number=1)])
    failures = iter([RuntimeError("first"), Unavailable(), None])

    async def handle(conn: Any, got: Message) -> None:
        await write_effect(conn, got)
        if failure := next(failures):
            raise failure

    worker = consumer(parts, in_transaction=handle)
    for effects_expected in ([], [], [1]):
        await parts.pool.execute("UPDATE broker_messages SET visible_at = '-infinity'")
        assert await worker.consume_due() == 1
        assert await effects() == effects_expected
    assert await parts.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await waiting_count(parts) == 0


@pytest.mark.parametrize("error", [Invalid("no such seat"), Conflict()])
async def test_permanent_error_is_a_dead_letter_at_once(parts: Any, effects: Any, error: Exception) -> None:
    sent = message(number=1)
    await parts.broker.publish([sent])

    async def handle(conn: Any, got: Message) -> None:
        await write_effect(conn, got)
        raise error

    await consumer(parts, in_transaction=handle).consume_due()

    assert await effects() == []
    assert await waiting_count(parts) == 0
    row = await parts.pool.fetchrow("SELECT * FROM dead_letters")
    assert (row["message_id"], row["attempts"], row["queue"]) == (sent.message_id, 1, QUEUE)
    assert row["reason"] == f"{error.code}: {error}"  # pyright: ignore[reportAttributeAccessIssue]
    assert await parts.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_unforeseen_error_is_a_dead_letter_after_its_tries(parts: Any) -> None:
    await parts.broker.publish([message(number=1)])

    async def handle(_got: Message) -> None:
        raise ValueError("odd")

    worker = consumer(parts, outside=handle)
    for _ in range(ATTEMPTS_MAX):
        assert await parts.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
        await parts.pool.execute("UPDATE broker_messages SET visible_at = '-infinity'")
        assert await worker.consume_due() == 1

    row = await parts.pool.fetchrow("SELECT reason, attempts FROM dead_letters")
    assert tuple(row) == (f"after {ATTEMPTS_MAX} tries: ValueError: odd", ATTEMPTS_MAX)
    assert await waiting_count(parts) == 0


async def test_body_that_is_no_message_is_a_dead_letter(parts: Any) -> None:
    await parts.broker.publish([message()])
    await parts.pool.execute("UPDATE broker_messages SET body = '{}'")
    await consumer(parts, in_transaction=write_effect).consume_due()
    assert (await parts.pool.fetchval("SELECT reason FROM dead_letters")).startswith("not_our_cloud_event")


async def test_handler_that_takes_too_long_is_cut_off_and_tried_again(parts: Any) -> None:
    await parts.broker.publish([message()])

    async def handle(_got: Message) -> None:
        await asyncio.Event().wait()

    await consumer(parts, outside=handle, seconds_max=0.05).consume_due()

    assert await waiting_count(parts) == 1
    assert await parts.pool.fetchval("SELECT lease_token FROM broker_messages") is None


async def test_lease_is_renewed_while_the_handler_works(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fullhouse.workers.consume.LEASE_SECONDS", 0.3)
    await parts.broker.publish([message()])
    runs: list[int] = []

    async def handle(_got: Message) -> None:
        runs.append(1)
        await asyncio.sleep(1)
        assert await parts.broker.receive(QUEUE, count_max=1, lease_seconds=30) == []

    await consumer(parts, outside=handle).consume_due()
    assert runs == [1]
    assert await waiting_count(parts) == 0


async def test_handler_works_under_the_request_id_of_its_message(parts: Any) -> None:
    await parts.broker.publish([message()])
    seen: list[Any] = []

    async def handle(_got: Message) -> None:
        seen.extend([request_id.get(), structlog.contextvars.get_contextvars()["request_id"]])

    await consumer(parts, outside=handle).consume_due()
    assert seen == ["request-1", "request-1"]
    assert request_id.get() is None


async def test_concurrency_is_bounded_and_one_key_is_handled_in_order(parts: Any) -> None:
    keys = [uuid4() for _ in range(6)]
    await parts.broker.publish([message(key, number=number) for number in range(3) for key in keys])
    now, most, order = 0, 0, {key: list[Any]() for key in keys}
    stop = asyncio.Event()

    async def handle(got: Message) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        order[got.key].append(got.data["number"])
        now -= 1
        if sum(map(len, order.values())) == 18:
            stop.set()

    async with asyncio.timeout(30):
        await consumer(parts, outside=handle, concurrency_max=3).run_until(stop)
    assert most == 3
    assert order == {key: [0, 1, 2] for key in keys}


async def test_stop_finishes_the_message_in_hand_and_takes_no_other(parts: Any, effects: Any) -> None:
    key = uuid4()
    await parts.broker.publish([message(key, number=1), message(key, number=2)])
    stop, begun, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(conn: Any, got: Message) -> None:
        begun.set()
        await go_on.wait()
        await write_effect(conn, got)

    async with asyncio.timeout(30):
        running = asyncio.create_task(consumer(parts, in_transaction=handle).run_until(stop))
        await begun.wait()
        stop.set()
        go_on.set()
        await running
    assert await effects() == [1]
    assert await waiting_count(parts) == 1


async def test_cancelled_consumer_gives_up_what_it_has_in_hand(parts: Any, effects: Any) -> None:
    await parts.broker.publish([message(number=1)])
    begun = asyncio.Event()

    async def handle(conn: Any, got: Message) -> None:
        await write_effect(conn, got)
        begun.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(30):
        running = asyncio.create_task(consumer(parts, in_transaction=handle).run_until(asyncio.Event()))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await effects() == []
    assert await waiting_count(parts) == 1


def test_subscription_has_exactly_one_handler() -> None:
    with pytest.raises(ValueError, match="exactly one handler"):
        Subscription(QUEUE, TYPES)
    with pytest.raises(ValueError, match="exactly one handler"):
        Subscription(QUEUE, TYPES, in_transaction=write_effect, outside=lambda _: asyncio.sleep(0))
    with pytest.raises(ValueError, match="happens together"):
        Subscription(QUEUE, TYPES, outside=lambda _: asyncio.sleep(0), together_max=2)
