"""How fast webhooks leave one process: ``python benchmarks/webhooks.py [--count 600] [--receivers 10]``.

It starts a PostgreSQL of its own and receivers on loopback that speak TLS, enters deliveries as the worker does, and
sends them, with a new connection for each as always. Beside it a bare client posts the same bodies to the same
receivers by TLS, as many at once, with nothing around it. The receivers' side of TLS is in both processor times.
"""

import argparse
import asyncio
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.receivers import Receiver, make_authority, outside_of, running_receiver
from harness.waiting import until
from harness.webhooks import Webhooks, make_webhooks

from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import EVERY_ORGANIZATION, open_pool, transaction
from fullhouse.infra.system import make_id
from fullhouse.infra.telemetry import configure_logging
from fullhouse.webhooks.enqueue_deliveries import enqueue_deliveries, write_body
from fullhouse.webhooks.send_deliveries import PER_ENDPOINT_MAX

ENTERED_TOGETHER = 50
SECONDS_MAX = 60


async def timed(name: str, count: int, work: Callable[[], Awaitable[object]]) -> float:
    """Run the work, print its row, and return how many a second."""
    began, own = time.perf_counter(), time.process_time()
    await work()
    speed, own = count / (time.perf_counter() - began), time.process_time() - own
    print(f"| {name} | {speed:,.0f}/s | {1e3 * own / count:.2f} ms |", flush=True)
    return speed


async def post_all(receivers: Sequence[Receiver], bodies: Sequence[str], trusted: Path) -> None:
    """Post with a connection for each body, and read each answer to its end."""
    context = ssl.create_default_context(cafile=trusted)
    waiting = list(enumerate(bodies))

    async def hand() -> None:
        while waiting:
            number, body = waiting.pop()
            receiver = receivers[number % len(receivers)]
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", receiver.port, ssl=context, server_hostname="localhost"
            )
            head = f"POST /hook HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body.encode())}\r\n\r\n"
            writer.write(head.encode() + body.encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

    await asyncio.gather(*(hand() for _ in range(PER_ENDPOINT_MAX * len(receivers))))


async def send_all(webhooks: Webhooks, count: int) -> None:
    async with webhooks.sending():
        await until(lambda: arrived(webhooks, count), SECONDS_MAX)


async def arrived(webhooks: Webhooks, count: int) -> bool:
    query = "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'"
    return await webhooks.pool.fetchval(query) == count


async def enter(webhooks: Webhooks, types: Sequence[str], count: int) -> None:
    """Enter one delivery for each message, spread over the endpoints."""
    for first in range(0, count, ENTERED_TOGETHER):
        messages = [webhooks.message(types[number % len(types)]) for number in range(first, first + ENTERED_TOGETHER)]
        async with transaction(webhooks.pool, EVERY_ORGANIZATION) as conn:
            await enqueue_deliveries(conn, make_id, messages)


async def run(url: str, folder: Path, given: argparse.Namespace) -> None:
    await migrate(url)
    pool: Any = await open_pool(url, size_max=20)
    trusted, chain = make_authority(folder)
    webhooks = await make_webhooks(pool, outside_of(trusted))
    types = sorted({"order.placed", "order.paid", "order.cancelled", "order.refunded", "order.expired"})
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(running_receiver(chain)) for _ in range(given.receivers)]
        for number, receiver in enumerate(receivers):
            await webhooks.endpoint(receiver.url(), types[number % len(types)])
        count = given.count // ENTERED_TOGETHER * ENTERED_TOGETHER
        # Two endpoints want each type, so half as many messages make as many deliveries.
        each = -(-given.receivers // len(types))
        print("| work | a second | our processor |\n|---|---|---|")
        await timed("entering deliveries", count, lambda: enter(webhooks, types, count // each))
        bodies = [write_body(webhooks.message()) for _ in range(count)]
        bare = await timed("bare client, TLS", count, lambda: post_all(receivers, bodies, trusted))
        ours = await timed("sending deliveries, TLS", count, lambda: send_all(webhooks, count))
        print(f"sending is {ours / bare:.2f} of the bare client")
    await pool.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--receivers", type=int, default=10)
    given = parser.parse_args()
    configure_logging(stream=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (until the end)
    with TemporaryDirectory(prefix="webhooks-") as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            uvloop.run(run(server.url, Path(folder), given))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
