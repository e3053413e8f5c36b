"""A real Apache Kafka for the tests: one node on loopback that can be killed, paused and started again."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

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

    @contextmanager
    def prepared_listener(self) -> Generator["Listener"]:
        """Give a listener beside the plain one, for as long as the block runs; the server starts anew with it."""
        listener = Listener(self, free_port())
        plain = self.properties.read_text(encoding="utf-8")
        try:
            yield listener
        finally:
            self.stop()
            self.properties.write_text(plain, encoding="utf-8")
            self.start()

    def add_scram_user(self, user: str, password: str) -> None:
        """Let a user sign in by SCRAM, as an administrator does with Kafka's own command."""
        (jars,) = (ROOT / ".cache").glob("kafka-*/kafka_*.jar")
        command = ["java", "-cp", f"{jars.parent}/*", "kafka.admin.ConfigCommand", "--bootstrap-server", self.address]
        for bits in (256, 512):
            wanted = f"SCRAM-SHA-{bits}=[password={password}]"
            change = ["--alter", "--add-config", wanted, "--entity-type", "users", "--entity-name", user]
            done = subprocess.run([*command, *change], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    def pid(self) -> int:
        return int((self.folder / "pid").read_text(encoding="utf-8"))


class Listener:
    """A second way into a Kafka: another address for its clients, or another protocol."""

    def __init__(self, server: KafkaServer, port: int) -> None:
        self.server = server
        self.port = port

    def open(self, advertised: str, protocol: str = "PLAINTEXT", more: str = "") -> None:
        """Start the server again with it; ``advertised`` is where clients are sent."""
        plain = self.server.properties.read_text(encoding="utf-8")
        controller = next(line for line in plain.splitlines() if line.startswith("listeners=")).rpartition(",")[2]
        own, there = f"127.0.0.1:{self.port}", self.server.address
        self.server.stop()
        # Of a property that stands there twice, the last counts; the script reads the last line alone as its address.
        self.server.properties.write_text(
            plain
            + f"""
listeners=PLAINTEXT://{there},OTHER://{own},{controller}
advertised.listeners=OTHER://{advertised},PLAINTEXT://{there}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OTHER:{protocol}
inter.broker.listener.name=PLAINTEXT
{more}
""",
            encoding="utf-8",
        )
        self.server.start()


def free_port() -> int:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


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
