"""How fast the relay and the consumers are through Postgres, beside a bare client in the same run.

``python benchmarks/relay.py [--count 10000] [--rate 200]`` starts a PostgreSQL of its own (durable, as the product runs
it) and prints messages a second, processor time of this process and of PostgreSQL for each, and how many that would be
if two cores did nothing else: of a bare client that inserts the same bodies in batches of the
same size, and of the relay; of a bare client that runs the transaction of a reaction on as many connections; of a
consumer whose effect is one row, each message in a transaction of its own and many together, its log written as the
product writes it; of all the way from the outbox through relay and consumer, in one process as ``fullhouse worker`` is;
at last the lag from commit to publish under a steady load. On a machine that is busy with other things, trust the
ratios and the processor time.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal
from uuid import UUID, uuid4

import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.pools import open_owners_pool

from fullhouse.core.message import Message
from fullhouse.infra import outbox, outbox_leases
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.brokers.postgres import PostgresBroker
from fullhouse.infra.embedded import postgres
from fullhouse.infra.inbox import first_time
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.infra.row_security import APP_ROLE, WORKER_ROLE
from fullhouse.infra.system import make_id, randomness
from fullhouse.infra.telemetry import configure_logging
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener, Notifier
from fullhouse.workers.consume import Consumer
from fullhouse.workers.react import Subscription
from fullhouse.workers.relay_outbox import BATCH_COUNT_MAX, Relay

QUEUE = "bench"
KEYS = 2_000
HANDS = 16
HANDS_TOGETHER = 4
TOGETHER = 64
ORGANIZATION = uuid4()
HEAD = """\
| work | messages/s | ours | PostgreSQL's | two cores' bound |
|---|---|---|---|---|"""


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


@dataclass
class Bench:
    """A database with a broker, and how it is measured."""

    pool: Pool
    url: str
    broker: PostgresBroker
    server_pid: int

    async def fill(self, count: int) -> None:
        """Commit messages, spread over the keys."""
        keys = [uuid4() for _ in range(KEYS)]
        for start in range(0, count, 1_000):
            async with transaction(self.pool, EVERY_ORGANIZATION) as conn:
                facts = [ThingPaid(keys[number % KEYS]) for number in range(start, min(start + 1_000, count))]
                await outbox.append(conn, make_id, facts)
        await self.pool.execute("ANALYZE outbox")

    async def empty(self) -> None:
        """Forget everything."""
        await self.pool.execute("TRUNCATE outbox, broker_messages, inbox")

    async def timed(self, name: str, work: Callable[[], Awaitable[int]]) -> float:
        """Run the work, print its row, and return messages a second."""
        began, own, theirs = time.perf_counter(), time.process_time(), processor_seconds(self.server_pid)
        count = await work()
        seconds = time.perf_counter() - began
        own, theirs = time.process_time() - own, processor_seconds(self.server_pid) - theirs
        bound = min(count / own, 2 * count / (own + theirs))
        print(
            f"| {name} | {count / seconds:,.0f}/s | {1e6 * own / count:.0f} µs | {1e6 * theirs / count:.0f} µs "
            f"| {bound:,.0f}/s |",
            flush=True,
        )
        return count / seconds


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, those that have ended included."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(entry.name) == pid or int(fields[1]) == pid:
                ended = int(fields[13]) + int(fields[14]) if int(entry.name) == pid else 0
                total += (int(fields[11]) + int(fields[12]) + ended) / 100
    return total


async def bare(bench: Bench, count: int) -> int:
    """Insert bodies that are there already, in batches of the relay's size, and do nothing else."""
    message = Message(
        ORGANIZATION, uuid4(), "thing.paid", 1, uuid4(), ThingPaid(uuid4()).data(), None, "2031-01-01T00:00:00Z"
    )  # pyright: ignore[reportArgumentType]
    body: Any = to_cloud_event(message)
    async with connection(bench.pool, EVERY_ORGANIZATION) as conn:
        for start in range(0, count, BATCH_COUNT_MAX):
            size = min(BATCH_COUNT_MAX, count - start)
            await conn.execute(
                """
                INSERT INTO broker_messages (queue, organization_id, message_id, key, body)
                SELECT 'bare', $1, m.id, m.key, m.body
                FROM unnest($2::uuid[], $3::uuid[], $4::jsonb[]) AS m(id, key, body)
                """,
                ORGANIZATION,
                [uuid4() for _ in range(size)],
                [uuid4() for _ in range(size)],
                [body] * size,
            )
    return count


async def relay_all(bench: Bench, relays: int) -> int:
    sent = 0
    for _ in range(1_000):
        counts = await asyncio.gather(
            *(Relay(bench.pool, bench.broker, make_id, randomness).send_due() for _ in range(relays))
        )
        if not sum(counts):
            return sent
        sent += sum(counts)
    raise RuntimeError("the relay does not come to an end")


Effect = Literal["none", "each", "together"]
"""Nothing but the inbox row; a row of each message's own statement; the rows of all messages in one statement."""


def consumer_of(bench: Bench, count: int, stop: asyncio.Event, *, together: int, effect: Effect = "each") -> Consumer:
    """Make a consumer that stops when it has reacted to that many."""
    done = 0

    def note(more: int) -> None:
        nonlocal done
        done += more
        if done >= count:
            stop.set()

    async def react(conn: Connection, message: Message) -> None:
        if effect == "each":
            await conn.execute("INSERT INTO effects (message_id) VALUES ($1)", message.message_id)
        note(1)

    async def react_to_all(conn: Connection, messages: Sequence[Message]) -> None:
        ids = [message.message_id for message in messages]
        await conn.execute("INSERT INTO effects (message_id) SELECT unnest($1::uuid[])", ids)
        note(len(messages))

    subscription = Subscription(
        QUEUE,
        frozenset({"thing.paid"}),
        in_transaction=None if effect == "together" else react,
        in_transaction_together=react_to_all if effect == "together" else None,
        concurrency_max=HANDS if together == 1 else HANDS_TOGETHER,
        together_max=together,
    )
    return Consumer(bench.pool, bench.broker, subscription, Notifier(""), randomness)


async def consume_all(bench: Bench, count: int, *, together: int, effect: Effect = "each") -> int:
    stop = asyncio.Event()
    await consumer_of(bench, count, stop, together=together, effect=effect).run_until(stop)
    return count


THROUGH: Mapping[str, Effect] = {
    "relay and reaction, an inbox row alone": "none",
    "relay and reaction, one statement for the rows of all": "together",
    "relay and reaction, a statement for the row of each": "each",
}


async def go_through(bench: Bench, count: int, *, effect: Effect) -> int:
    """Relay what the outbox holds and react to it, at the same time."""
    stop = asyncio.Event()
    listener = Listener(bench.url, OUTBOX_CHANNEL)
    consumer = consumer_of(bench, count, stop, together=TOGETHER, effect=effect)
    relaying = asyncio.create_task(Relay(bench.pool, bench.broker, make_id, randomness).run_until(stop, listener))
    await consumer.run_until(stop)
    await relaying
    await listener.close()
    return count


async def bare_reactions(bench: Bench, count: int) -> int:
    """Run the transactions that a consumer runs, an inbox row and an effect, and do nothing else."""

    async def hand(own: int) -> None:
        for _ in range(own):
            async with transaction(bench.pool, EVERY_ORGANIZATION) as conn:
                await first_time(conn, ORGANIZATION, "bare", str(uuid4()))
                await conn.execute("INSERT INTO effects (message_id) VALUES ($1)", uuid4())

    await asyncio.gather(*(hand(count // HANDS) for _ in range(HANDS)))
    return count // HANDS * HANDS


async def lag(bench: Bench, rate: int, seconds: int) -> None:
    """Commit one message at a time at a steady rate beside a running relay, and print how late they were published."""
    stop = asyncio.Event()
    listener, notifier = Listener(bench.url, OUTBOX_CHANNEL), Notifier(bench.url)
    relaying = asyncio.create_task(Relay(bench.pool, bench.broker, make_id, randomness).run_until(stop, listener))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(rate * seconds):
        async with transaction(bench.pool, EVERY_ORGANIZATION) as conn:
            await outbox.append(conn, make_id, [ThingPaid(uuid4())])
        notifier.wake()
        await asyncio.sleep(max(0.0, began + (number + 1) / rate - loop.time()))
    await asyncio.sleep(1)
    stop.set()
    notifier.wake()
    await relaying
    await notifier.close()
    await listener.close()
    row: Any = await bench.pool.fetchrow(
        """
        SELECT count(*) AS count, percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
            ORDER BY extract(epoch FROM b.enqueued_at - o.occurred_at)::float8 * 1000) AS ms
        FROM outbox o JOIN broker_messages b USING (organization_id, message_id)
        """
    )
    actual = row["count"] / (loop.time() - began - 1)
    p50, p99, worst = row["ms"]
    print(f"lag from commit to publish at {actual:.0f}/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {worst:.1f} ms")


async def one_round(bench: Bench, count: int) -> None:
    """Print the table."""
    print(HEAD)
    await bench.empty()
    await bench.timed("bare client: rows of the queue", lambda: bare(bench, count))
    for relays in (1, 2):
        await bench.empty()
        await bench.fill(count)
        name = "relay" if relays == 1 else "two relays in one process"
        await bench.timed(name, lambda relays=relays: relay_all(bench, relays))
    some = count // 4
    await bench.timed("bare client: an inbox row and an effect", lambda: bare_reactions(bench, some))
    await bench.timed("a reaction in its own transaction", lambda: consume_all(bench, some, together=1))
    left = count - some - HANDS
    await bench.timed(
        f"reactions, {TOGETHER} in a transaction, a statement each",
        lambda: consume_all(bench, left // 2, together=TOGETHER),
    )
    await bench.timed(
        f"reactions, {TOGETHER} in a transaction, one statement for all",
        lambda: consume_all(bench, left // 2 - TOGETHER * HANDS_TOGETHER, together=TOGETHER, effect="together"),
    )
    for name, effect in THROUGH.items():
        await bench.empty()
        await bench.fill(count)
        await bench.timed(name, lambda effect=effect: go_through(bench, count, effect=effect))


async def run(url: str, server_pid: int, options: argparse.Namespace) -> None:
    await migrate(url)
    pool = await open_owners_pool(url)
    broker = PostgresBroker(pool, url, make_id)
    await broker.declare({QUEUE: {"thing.paid"}})
    bench = Bench(pool, url, broker, server_pid)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        await outbox_leases.prepare_leases(conn)
    await pool.execute("CREATE TABLE effects (message_id uuid PRIMARY KEY)")
    await pool.execute(f"GRANT INSERT ON effects TO {APP_ROLE}, {WORKER_ROLE}")
    for _ in range(options.rounds):
        await one_round(bench, options.count)
    await bench.empty()
    await lag(bench, options.rate, 5)
    await broker.close()
    await pool.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    configure_logging(stream=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (until the end)
    with TemporaryDirectory(prefix="relay-", dir=".data" if Path(".data").is_dir() else None) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            pid = int((Path(folder) / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
            uvloop.run(run(server.url, pid, options))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
