"""How fast messages leave through each broker, beside a bare client of that broker in the same run.

``python benchmarks/brokers.py [URL…] [--count 2048] [--rate 50] [--seconds 5]``, where a URL is what
FULLHOUSE_BROKER_URL takes; without one, ``postgres`` and what ``make services`` has started. It starts a PostgreSQL of
its own, and prints a table of docs/reference/speed-of-messages.md: messages a second of a bare client (batches of the
relay's size, confirmed), of the broker's ``publish``, of the whole relay, and of a consumer that takes and
acknowledges, the best of two turns each; the lag from commit to the broker's confirmation under a steady load, and its
99th percentile beside the time that the bare client needs for one message at the same rate. On a machine that is busy
with other things, trust the ratios.
"""

import argparse
import asyncio
import logging
import statistics
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import UUID, uuid4

from bare_clients import BARE, Body, Send
from yarl import URL

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.pools import open_owners_pool

from fullhouse.core.message import Message
from fullhouse.infra import outbox, outbox_leases
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener, Notifier
from fullhouse.workers.relay_outbox import BATCH_COUNT_MAX, Relay

ORGANIZATION = uuid4()
KEYS = [uuid4() for _ in range(500)]
QUEUE = "bench"
TAKEN_TOGETHER = 64
TURNS = 2
NAMES = {
    "postgres": "PostgreSQL",
    "amqp": "RabbitMQ, quorum queue",
    "kafka": "Kafka, acks=all",
    "sqs": "SQS FIFO, ministack",
}
HEAD = """\
| broker | bare client | `publish` | relay | relay / bare | consumer | lag p50 | lag p99 | bare p99 | lag / bare |
|---|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class ThingPaid:
    """As large as ``order.paid``."""

    type: ClassVar[str] = "thing.paid"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    key: UUID
    organization_id: UUID = ORGANIZATION

    def data(self) -> Mapping[str, object]:
        """Return seven fields."""
        ids = {name: str(self.key) for name in ("order_id", "event_id", "session_id", "reservation_id")}
        return {**ids, "total_minor": 2500, "currency": "EUR", "reason": None}


def message(key: UUID) -> Message:
    data: Any = ThingPaid(key).data()
    return Message(ORGANIZATION, uuid4(), "thing.paid", 1, key, data, None, "2031-01-01T00:00:00Z")


def messages(count: int) -> list[Message]:
    return [message(KEYS[number % len(KEYS)]) for number in range(count)]


@dataclass
class Run:
    """One measurement: the servers, and how much to measure."""

    pool: Pool
    database_url: str
    count: int
    rate: int
    seconds: float

    async def speed(self, work: Callable[[], Awaitable[object]]) -> float:
        """Return messages a second."""
        clock = asyncio.get_running_loop().time
        began = clock()
        await work()
        return self.count / (clock() - began)

    async def at_rate(self, act: Callable[[], Awaitable[object]]) -> None:
        """Act again and again at the rate, for so many seconds."""
        clock = asyncio.get_running_loop().time
        began = clock()
        for number in range(int(self.rate * self.seconds)):
            await act()
            await asyncio.sleep(max(0.0, began + (number + 1) / self.rate - clock()))


async def measure(run: Run, url: str) -> str:
    """Measure one broker; return its row of the table."""
    scheme = "amqp" if url.startswith("amqps") else url.partition(":")[0]
    async with BARE[scheme](url, run.pool) as send, opened(run, url) as broker:
        relay = Relay(run.pool, broker, make_id, randomness)
        await send([Body(one) for one in messages(BATCH_COUNT_MAX)])
        turns = [await turn(run, send, broker, relay) for _ in range(TURNS)]
        bare, published, consumed, relayed = (max(speeds) for speeds in zip(*turns, strict=True))
        bare_lags = await lags_of(run, send)
        await run.pool.execute("TRUNCATE outbox, broker_messages")
        p50, p99 = await lag(run, relay)
    bare_p99 = statistics.quantiles(bare_lags, n=100)[98] * 1000
    return (
        f"| {NAMES[scheme]} | {bare:,.0f}/s | {published:,.0f}/s | {relayed:,.0f}/s | {relayed / bare:.2f} "
        f"| {consumed:,.0f}/s | {p50:.0f} ms | {p99:.0f} ms | {bare_p99:.0f} ms | {p99 / bare_p99:.1f} |"
    )


async def turn(run: Run, send: Send, broker: Broker, relay: Relay) -> tuple[float, float, float, float]:
    """Send as many messages each way; return the four speeds."""
    work = messages(run.count)
    bodies = [Body(one) for one in messages(run.count)]
    bare = await run.speed(lambda: in_batches(send, bodies))
    published = await run.speed(lambda: in_batches(broker.publish, work))
    consumed = await run.speed(lambda: take(broker, run.count))
    await fill(run.pool, run.count)
    relayed = await run.speed(lambda: send_all(relay, run.count))
    await take(broker, run.count)
    return bare, published, consumed, relayed


async def send_all(relay: Relay, count: int) -> None:
    """Send what there is; one call of the relay takes half of the partitions."""
    for _ in range(100):
        count -= await relay.send_due()
        if count <= 0:
            return
    raise RuntimeError("the relay does not come to an end")


@asynccontextmanager
async def opened(run: Run, url: str) -> AsyncGenerator[Broker]:
    """Open the product's broker on an installation of its own, warm: everything is made and has been used once."""
    await run.pool.execute("TRUNCATE outbox, broker_messages")
    own = url if url == "postgres" else str(URL(url).update_query(prefix=f"bench{uuid4().hex[:8]}"))
    broker = open_broker(own, pool=run.pool, database_url=run.database_url, make_id=make_id)
    await broker.declare({QUEUE: {"thing.paid"}})
    await broker.publish(messages(BATCH_COUNT_MAX))
    await take(broker, BATCH_COUNT_MAX)
    yield broker
    await broker.close()


async def in_batches(send: Callable[[Sequence[Any]], Awaitable[object]], work: Sequence[Any]) -> None:
    for first in range(0, len(work), BATCH_COUNT_MAX):
        await send(work[first : first + BATCH_COUNT_MAX])


async def take(broker: Broker, count: int) -> None:
    """Receive and acknowledge that many messages; whoever takes longer than a minute is given up."""
    async with asyncio.timeout(60):
        while count > 0:
            deliveries = await broker.receive(QUEUE, count_max=TAKEN_TOGETHER, lease_seconds=60)
            if deliveries:
                await broker.acknowledge(deliveries)
                count -= len(deliveries)
            else:
                await broker.wait(QUEUE, 0.1)


async def fill(pool: Pool, count: int) -> None:
    for start in range(0, count, 1_000):
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            facts = [ThingPaid(KEYS[number % len(KEYS)]) for number in range(start, min(start + 1_000, count))]
            await outbox.append(conn, make_id, facts)


async def lags_of(run: Run, send: Send) -> list[float]:
    """Send one message at a time at the rate; return how long each took to be safe."""
    clock = asyncio.get_running_loop().time
    found: list[float] = []

    async def one() -> None:
        body = Body(message(uuid4()))
        began = clock()
        await send([body])
        found.append(clock() - began)

    await run.at_rate(one)
    return found


async def lag(run: Run, relay: Relay) -> tuple[float, float]:
    """Commit at the rate beside a running relay; return p50 and p99 in milliseconds.

    A message counts as published when the relay marks it as sent, which is a statement after the confirmation.
    """
    stop = asyncio.Event()
    listener, notifier = Listener(run.database_url, OUTBOX_CHANNEL), Notifier(run.database_url)
    relaying = asyncio.create_task(relay.run_until(stop, listener))

    async def commit() -> None:
        async with transaction(run.pool, EVERY_ORGANIZATION) as conn:
            await outbox.append(conn, make_id, [ThingPaid(uuid4())])
        notifier.wake()

    await run.at_rate(commit)
    await asyncio.sleep(1)
    stop.set()
    notifier.wake()
    await relaying
    await notifier.close()
    await listener.close()
    lags: Any = await run.pool.fetchval(
        """
        SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
            ORDER BY extract(epoch FROM sent_at - occurred_at)::float8 * 1000) FROM outbox
        """
    )
    return lags[0], lags[1]


def services() -> list[str]:
    """Return the URLs of what ``make services`` has started."""
    folder = Path(".data/services")
    files = [folder / f"{name}.url" for name in ("rabbitmq", "kafka", "sqs")]
    return [file.read_text().strip() for file in files if file.is_file()]


async def main(given: argparse.Namespace) -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with TemporaryDirectory(prefix="brokers-") as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            await migrate(server.url)
            pool = await open_owners_pool(server.url, size_max=10)
            async with transaction(pool, EVERY_ORGANIZATION) as conn:
                await outbox_leases.prepare_leases(conn)
            run = Run(pool, server.url, given.count, given.rate, given.seconds)
            print(HEAD)
            for url in given.urls or ["postgres", *services()]:
                print(await measure(run, url), flush=True)
            await pool.close()
        finally:
            server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", nargs="*")
    parser.add_argument("--count", type=int, default=2_048)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    asyncio.run(main(parser.parse_args()))
