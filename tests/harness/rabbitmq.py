"""Looking into a RabbitMQ server from beside the product, and cleaning up what a test made there."""

import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from yarl import URL

from harness.processes import is_alive, wait_until
from harness.sources import ROOT

SCRIPT = ROOT / "deploy" / "services" / "rabbitmq"
BINARIES = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def prefix_of(url: str) -> str:
    return URL(url).query["prefix"]


@asynccontextmanager
async def channel_on(url: str) -> AsyncGenerator[AbstractChannel]:
    """Open a channel of a client that is not the product."""
    connection = await aio_pika.connect(str(URL(url).without_query_params("prefix")))
    async with connection:
        yield await connection.channel()


async def remove_installation(url: str, queues: Iterable[str]) -> None:
    """Remove everything with the prefix of the URL from the server."""
    prefix = prefix_of(url)
    async with channel_on(url) as channel:
        for queue in (*queues, "dead-letters", "unreadable"):
            await channel.queue_delete(f"{prefix}.{queue}")
        for exchange in ("messages", "dead-letters"):
            await channel.exchange_delete(f"{prefix}.{exchange}")


class OwnServer:
    """A RabbitMQ of one test module, which the tests may kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    def start(self) -> None:
        """Start it, or start it again with the same port and the same data."""
        result = subprocess.run(
            [SCRIPT, "start", self.folder], capture_output=True, text=True, timeout=120, check=False
        )
        assert result.returncode == 0, result.stderr
        self.url = result.stdout.strip()

    def kill(self) -> None:
        """Kill the server as ``kill -9`` does, and wait until all of it is gone."""
        os.kill(int((self.folder / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
        running = int((self.folder / "run.pid").read_text(encoding="utf-8"))
        wait_until(lambda: not is_alive(running), "the end of the killed RabbitMQ")

    def stop(self) -> None:
        subprocess.run([SCRIPT, "stop", self.folder], timeout=120, check=True)


@contextmanager
def own_server(folder: Path) -> Generator[OwnServer]:
    """Run a server of one's own where RabbitMQ is installed; else skip, by name, and fail in CI."""
    if not BINARIES.exists():
        missing = "no rabbitmq server of one's own: install rabbitmq-server"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    server = OwnServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
