"""A real Apache Kafka for the tests: one node on loopback that can be killed, paused and started again."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from yarl import URL

from harness.processes import WAIT_SECONDS_MAX, wait_until

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "services" / "kafka"


class KafkaServer:
    """One node with its data folder; it has the same address whenever it is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""

    def url(self, options: str = "partitions=3") -> str:
        return f"kafka://{self.address}?{options}"

    def start(self) -> None:
        """Start it on its data, as it was left, and wait until it answers."""
        started = subprocess.run(
            [SCRIPT, "start", self.folder], capture_output=True, text=True, timeout=WAIT_SECONDS_MAX, check=False
        )
        assert started.returncode == 0, started.stderr
        self.address = started.stdout.strip()

    def stop(self) -> None:
        """Stop it cleanly."""
        self.send(signal.SIGCONT)
        subprocess.run([SCRIPT, "stop", self.folder], check=True, timeout=WAIT_SECONDS_MAX)

    def kill(self) -> None:
        """Kill it on the spot."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists(), "the end of Kafka")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid(), number)

    def pid(self) -> int:
        return int((self.folder / "pid").read_text(encoding="utf-8"))


def missing_parts() -> str | None:
    """Say what is missing to run Kafka here, or None."""
    if shutil.which("java") is None:
        return "Kafka: there is no Java"
    if not list((ROOT / ".cache").glob("kafka-*/kafka_*.jar")):
        return "Kafka: its jars are not here; get them with deploy/services/kafka install"
    return None


@contextmanager
def running_kafka(folder: Path) -> Generator[KafkaServer]:
    """Run a node for the tests; skip them by name where it cannot be, but never in continuous integration."""
    if (missing := missing_parts()) is not None:
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    server = KafkaServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def remove_topics(url: str) -> None:
    """Remove the topics that an installation made: those with the prefix of its URL."""
    parts = URL(url)
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{parts.host}:{parts.port}")
    await admin.start()
    try:
        await admin.delete_topics(
            [name for name in await admin.list_topics() if name.startswith(parts.query["prefix"])]
        )
    finally:
        await admin.close()
