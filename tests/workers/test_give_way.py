"""Who gives way rests while there is no processor for them, finishes what is in hand, and stops when asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness.messages import message

from fullhouse.infra.system import randomness
from fullhouse.workers.consume import Consumer
from fullhouse.workers.give_way import REST_SECONDS_MAX, REST_SECONDS_MIN, GiveWay
from fullhouse.workers.react import Subscription

QUEUE = "things"
SECOND = 1_000_000_000


class Times:
    """What the system would say of a process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "schedstat"
        self.ran = self.waited = 0
        self.add(0, 0)

    def add(self, ran: float, waited: float) -> None:
        self.ran += int(ran * SECOND)
        self.waited += int(waited * SECOND)
        self.path.write_text(f"{self.ran} {self.waited} 7\n")


@pytest.fixture
def times(tmp_path: Path) -> Times:
    return Times(tmp_path)


def test_who_has_processors_enough_does_not_rest(times: Times) -> None:
    give_way = GiveWay(times.path)
    for _ in range(5):
        times.add(ran=0.3, waited=0.7)
        assert give_way.rest_seconds() == 0


def test_who_is_starved_rests_longer_each_time_and_not_at_all_once_it_is_not(times: Times) -> None:
    give_way = GiveWay(times.path)
    rests: list[float] = []
    for _ in range(6):
        times.add(ran=0.01, waited=0.2)
        rests.append(give_way.rest_seconds())
    assert rests == [REST_SECONDS_MIN, 0.25, 0.5, REST_SECONDS_MAX, REST_SECONDS_MAX, REST_SECONDS_MAX]
    times.add(ran=0.2, waited=0.2)
    assert give_way.rest_seconds() == 0
    times.add(ran=0.01, waited=0.2)
    assert give_way.rest_seconds() == REST_SECONDS_MIN


def test_a_moment_says_nothing(times: Times) -> None:
    give_way = GiveWay(times.path)
    for _ in range(4):
        times.add(ran=0, waited=0.02)
        assert give_way.rest_seconds() == 0
    times.add(ran=0, waited=0.03)
    assert give_way.rest_seconds() == REST_SECONDS_MIN


def test_where_the_system_says_nothing_nobody_rests(tmp_path: Path) -> None:
    give_way = GiveWay(tmp_path / "nothing")
    assert [give_way.rest_seconds() for _ in range(3)] == [0, 0, 0]


class Starved(GiveWay):
    """A process that is starved once, for so long that the test would not end by itself."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.asked = asyncio.Event()

    def rest_seconds(self) -> float:
        if self.asked.is_set():
            return 0.0
        self.asked.set()
        return 3_600.0


async def test_a_consumer_rests_before_it_takes_more_and_stops_at_once(parts: Any) -> None:
    handled: list[object] = []

    async def handle(got: Any) -> None:
        handled.append(got)

    subscription = Subscription(QUEUE, frozenset({"thing.happened"}), outside=handle)
    starved, stop = Starved(), asyncio.Event()
    consumer = Consumer(parts.pool, parts.broker, subscription, parts.notifier, randomness, starved)
    await parts.broker.publish([message(number=1)])
    running = asyncio.create_task(consumer.run_until(stop))
    await starved.asked.wait()
    stop.set()
    async with asyncio.timeout(10):
        await running
    assert handled == []
    assert await parts.pool.fetchval("SELECT count(*) FROM broker_messages WHERE lease_token IS NULL") == 1
