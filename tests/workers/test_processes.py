"""Relays and schedules as processes that are killed, stopped and cut off: nothing is lost, order is kept."""

import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.messages import ThingHappened
from harness.processes import Program, clean_environment
from harness.waiting import until

from fullhouse.infra.brokers.cloud_events import from_cloud_event

pytestmark = pytest.mark.chaos

QUEUE = "things"
KEYS = 12
ROUNDS = 100
START_SECONDS_MAX = 60.0

CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'a part of the worker'
    """
LISTENING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%outbox%'
    """
HOLDS = "SELECT count(*) FROM ticks WHERE name = $1 AND at > clock_timestamp() - interval '1 second'"

Start = Callable[..., Program]


@pytest.fixture
async def start(fresh_database: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a part of the worker as a process; all are ended with the test, stopped ones too."""
    with ExitStack() as stack:

        def started(*arguments: str) -> Program:
            command = [sys.executable, "-m", "harness.worker_process", arguments[0], fresh_database, *arguments[1:]]
            program = Program(command, tmp_path, clean_environment(PYTHONPATH=pythonpath()))
            stack.callback(program.end)
            stack.callback(lambda: program.process.poll() is None and program.send(signal.SIGCONT))
            return program

        yield started


def pythonpath() -> str:
    return ":".join([str(Path(__file__).parents[1]), *sys.path])


@pytest.mark.timeout(240)
async def test_relays_that_are_killed_stopped_and_cut_off_lose_nothing_and_keep_the_order_of_each_key(
    parts: Any, start: Start
) -> None:
    keys = [uuid4() for _ in range(KEYS)]
    received: defaultdict[UUID, list[int]] = defaultdict(list)
    relays = [start("relay") for _ in range(3)]
    await until(lambda: are_listening(parts.pool, 3), START_SECONDS_MAX)

    async def write() -> None:
        for number in range(ROUNDS):
            await parts.commit(*(ThingHappened(number, key) for key in keys))
            parts.notifier.wake()
            await asyncio.sleep(0.05)

    async def receive() -> None:
        while any(len(set(received[key])) < ROUNDS for key in keys):
            deliveries = await parts.broker.receive(QUEUE, count_max=KEYS, lease_seconds=60)
            for delivery in deliveries:
                received[delivery.key].append(int(str(from_cloud_event(delivery.body).data["number"])))
            await parts.broker.acknowledge(deliveries)
            await asyncio.sleep(0.01)

    async def harm() -> None:
        await until(lambda: has_received(received, 30))
        relays[0].send(signal.SIGKILL)
        relays[1].send(signal.SIGSTOP)
        relays.append(start("relay"))
        await until(lambda: has_received(received, 300), START_SECONDS_MAX)
        await parts.pool.execute(CUT)
        await until(lambda: has_received(received, 600))
        relays[1].send(signal.SIGCONT)
        await parts.pool.execute(CUT)

    await asyncio.gather(write(), receive(), harm())

    for key in keys:
        assert list(dict.fromkeys(received[key])) == list(range(ROUNDS))
    await until(lambda: everything_is_marked(parts.pool))
    assert relays[0].wait() == -signal.SIGKILL


async def are_listening(pool: Any, count: int) -> bool:
    return await pool.fetchval(LISTENING) >= count


async def has_received(received: dict[UUID, list[int]], count: int) -> bool:
    return sum(len(set(numbers)) for numbers in received.values()) >= count


async def everything_is_marked(pool: Any) -> bool:
    return await pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0


@pytest.mark.timeout(240)
async def test_schedule_goes_on_elsewhere_when_its_holder_is_stopped_or_killed(parts: Any, start: Start) -> None:
    await parts.pool.execute("CREATE TABLE ticks (name text, at timestamptz DEFAULT clock_timestamp())")
    await parts.pool.execute("GRANT INSERT ON ticks TO fullhouse_worker")
    first = start("schedule", "first")
    await until(lambda: parts.pool.fetchval(HOLDS, "first"), START_SECONDS_MAX)
    second = start("schedule", "second")

    first.send(signal.SIGSTOP)
    await until(lambda: parts.pool.fetchval(HOLDS, "second"), START_SECONDS_MAX)
    # Back again, it finds its lock gone, and waits.
    first.send(signal.SIGCONT)
    await until(lambda: is_alone(parts.pool, "second", "first"))

    second.send(signal.SIGKILL)
    await until(lambda: parts.pool.fetchval(HOLDS, "first"))


async def is_alone(pool: Any, name: str, other: str) -> bool:
    return await pool.fetchval(HOLDS, name) > 0 and await pool.fetchval(HOLDS, other) == 0
