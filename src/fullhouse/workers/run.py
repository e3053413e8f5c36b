"""The worker: the relay, the consumers, the schedule and the senders, or any of them, under one supervisor."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fullhouse.facts import WAITING_TYPES
from fullhouse.infra.brokers import POSTGRES, open_broker
from fullhouse.infra.brokers.port import Broker, FindUnheard
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.resources import Resources
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener, Notifier
from fullhouse.workers.consume import Consumer
from fullhouse.workers.give_way import GiveWay
from fullhouse.workers.measure_queues import keep_measuring
from fullhouse.workers.react import Subscription
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.run_schedule import Job, Schedule
from fullhouse.workers.supervise import Loop, supervise

RENDER = "render"
PARTS = frozenset({"relay", "consume", RENDER, "schedule", "send"})
MEASURE = "measure"
"""What every worker does beside its parts."""


class Sending(Protocol):
    """Sends to the outside what waits in the database, or hears of it, in as many processes as there are."""

    async def run_until(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set, then finish what is on its way."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker works off: who reacts to what, what runs when, and who sends to the outside, by name."""

    subscriptions: Sequence[Subscription]
    jobs: Sequence[Job]
    senders: Mapping[str, Sending] = field(default_factory=dict[str, Sending])
    find_unheard: FindUnheard | None = None
    """Which messages which queues would only take out again, where nobody else listens."""

    def queues(self) -> dict[str, frozenset[str]]:
        """Return the message types that each queue wants."""
        return {subscription.queue: subscription.types for subscription in self.subscriptions}


async def run_worker(
    resources: Resources,
    work: Work,
    stop: asyncio.Event,
    *,
    parts: frozenset[str] = PARTS,
    grace_seconds: float = 20.0,
) -> None:
    """Run the named parts until ``stop`` is set, then finish what is in hand, for as long as the grace lasts.

    Raises ``ValueError`` for a part that does not exist, and ``OperatorError`` for a schedule without a database whose
    connections last.
    """
    if unknown := parts - PARTS:
        raise ValueError(
            f"no part of a worker is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(PARTS))}"
        )
    if "schedule" in parts and not resources.database_url:
        raise OperatorError(
            "FULLHOUSE_DATABASE_DIRECT_URL is needed: the lock of the schedule does not last behind a pooler"
        )
    broker = open_broker(
        resources.broker_url,
        pool=resources.pool,
        database_url=resources.database_url,
        make_id=resources.make_id,
        find_unheard=work.find_unheard,
    )
    notifier = Notifier(resources.database_url)
    listener = Listener(resources.database_url, OUTBOX_CHANNEL)
    try:
        await broker.declare(work.queues())
        # Only a process that does nothing else may rest.
        give_way = GiveWay() if parts == frozenset({RENDER}) else None
        consumers = [
            Consumer(
                resources.pool, broker, one, notifier, resources.randomness, give_way if one.part == RENDER else None
            )
            for one in work.subscriptions
        ]
        loops = _loops(resources, work, stop, broker=broker, notifier=notifier, listener=listener)
        loops |= {f"{one.part}:{one.queue}": _running(one, stop) for one in consumers}
        chosen = {name: loop for name, loop in loops.items() if name.partition(":")[0] in parts | {MEASURE}}
        await supervise(chosen, stop, randomness=resources.randomness, grace_seconds=grace_seconds)
    finally:
        await notifier.close()
        await listener.close()
        await broker.close()


def _loops(
    resources: Resources, work: Work, stop: asyncio.Event, *, broker: Broker, notifier: Notifier, listener: Listener
) -> dict[str, Loop]:
    kind = resources.broker_url.partition(":")[0]
    relay = Relay(resources.pool, broker, resources.make_id, resources.randomness, WAITING_TYPES)
    schedule = Schedule(resources.database_url, work.jobs, notifier, resources.randomness)

    async def run_relay() -> None:
        await relay.run_until(stop, listener)

    async def run_schedule() -> None:
        await schedule.run_until(stop)

    measured_by = resources.make_id()

    async def run_measure() -> None:
        await keep_measuring(resources.pool, broker, kind, measured_by, stop)

    return {
        "relay": run_relay,
        "schedule": run_schedule,
        # Of the queues in the database everybody can read the depths there.
        **({} if kind == POSTGRES else {MEASURE: run_measure}),
        **{f"send:{name}": _running(sender, stop) for name, sender in work.senders.items()},
    }


def _running(part: Consumer | Sending, stop: asyncio.Event) -> Loop:
    async def run_part() -> None:
        await part.run_until(stop)

    return run_part
