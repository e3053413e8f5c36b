"""The Fullhouse that is measured: ``fullhouse up`` as a child, on servers and data of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.embedded.process import free_port
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Pool, open_pool
from fullhouse.infra.system import random_text
from fullhouse.operations.bench.wire import LOST, Wire, request

READY_SECONDS_MAX: Final = 120
STOP_SECONDS_MAX: Final = 90
HOST: Final = "127.0.0.1"
API: Final = ".main api "
WORKER: Final = ".main worker"
"""Words of their command lines; Postgres has workers of its own."""
_READY = request("GET", "/readyz")
_POSTMASTER_PID_LINE: Final = 0
_NOT_PASSED_ON: Final = ("FULLHOUSE_", "PYTHONDONTWRITEBYTECODE")
"""An installed program is compiled once; without this every start in the house would compile it anew."""


@dataclass(slots=True)
class House:
    """A Fullhouse in a data folder, started and stopped as one. ``sell`` reaches its database, for making stock."""

    folder: Path
    port: int
    command: Sequence[str]
    environment: Mapping[str, str]
    child: subprocess.Popen[bytes] | None = None
    pool: Pool | None = None
    _used: dict[tuple[str, ...], dict[int, float]] = field(default_factory=dict[tuple[str, ...], dict[int, float]])
    """The processor time of processes when they were last looked at, by the words that found them."""

    @property
    def database(self) -> Pool:
        """Its database, as its owner reaches it. Raises ``OperatorError`` before the start."""
        if self.pool is None:
            raise OperatorError("the house of the benchmark does not run")
        return self.pool

    async def start(self) -> None:
        """Start it, or start it again on the same data, and wait until its servers run."""
        with self.log.open("ab") as log:
            self.child = await asyncio.to_thread(
                subprocess.Popen,
                self.command,
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(READY_SECONDS_MAX * 10):
            if postgres.running_url(self.folder / "postgres") and valkey.running_url(self.folder / "valkey"):
                return
            self._check()
            await asyncio.sleep(0.1)
        raise OperatorError(f"the servers of the house did not start; see {self.log}")

    async def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self.child is None or self.child.poll() is not None:
            return
        self.child.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(self.child.wait, STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()

    @property
    def database_url(self) -> str:
        """The database as its owner reaches it. Raises ``OperatorError`` while it is down."""
        url = postgres.running_url(self.folder / "postgres")
        if url is None:
            raise OperatorError("the database of the benchmark does not run")
        return url

    @property
    def postgres_pid(self) -> int:
        """The process id of the database server."""
        lines = (self.folder / "postgres" / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()
        return int(lines[_POSTMASTER_PID_LINE])

    def pids(self, *words: str) -> Sequence[int]:
        """Find the running processes of this house whose command line contains all the words."""
        root = 0 if self.child is None else self.child.pid
        return [pid for pid, line in _descendants(root) if all(word in line for word in words)]

    def resident_bytes(self, *words: str) -> Mapping[int, int]:
        """Return the memory of those processes that is in use now."""
        return {pid: _resident(pid) for pid in self.pids(*words)}

    def processor_seconds(self, *words: str) -> float:
        """Return the processor time that those processes have used so far, with those that have ended since a look."""
        used = self._used.setdefault(words, {})
        for pid in self.pids(*words):
            used[pid] = max(used.get(pid, 0.0), processor_seconds(pid))
        return sum(used.values())

    def pause(self, *words: str, pause: bool) -> None:
        """Let those processes rest, or go on."""
        for pid in self.pids(*words):
            os.kill(pid, signal.SIGSTOP if pause else signal.SIGCONT)

    async def ready(self, seconds_max: float = READY_SECONDS_MAX) -> None:
        """Wait until the API says that every part is reachable."""
        wire = Wire(HOST, self.port)
        try:
            async with asyncio.timeout(seconds_max):
                while await _status(wire) != 200:
                    self._check()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise OperatorError(f"the house was not ready within {seconds_max:g} s; see {self.log}") from None
        finally:
            wire.close()

    @property
    def log(self) -> Path:
        """What its processes wrote."""
        return self.folder / "up.log"

    def _check(self) -> None:
        if self.child is None or self.child.poll() is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            raise OperatorError(f"the house did not start: {' '.join(last)}")


@asynccontextmanager
async def running_house(folder: Path, *, processes: int = 1, settings: Mapping[str, str]) -> AsyncGenerator[House]:
    """Run a whole Fullhouse with so many API processes and these settings until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 (nothing else runs yet)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)}
    environment |= {"FULLHOUSE_SECRET_KEY": random_text(48), "FULLHOUSE_LOG_LEVEL": "warning", **settings}
    options = ["--host", HOST, "--port", str(port), "--data-dir", str(folder), "--workers", str(processes)]
    house = House(folder, port, [sys.executable, "-m", "fullhouse.cli.main", "up", *options], environment)
    try:
        await house.start()
        house.pool = await open_pool(house.database_url, size_max=16, application_name="fullhouse-bench")
        await house.ready()
        yield house
    finally:
        if house.pool is not None:
            await house.pool.close()
        await house.stop()


async def _status(wire: Wire) -> int:
    try:
        return (await wire.fetch(_READY)).status
    except OSError:
        return LOST


def _descendants(root: int) -> list[tuple[int, str]]:
    """List the processes below one, with their command lines (Linux)."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            lines[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
    return [(pid, lines[pid]) for pid in parents if _is_below(pid, root, parents)]


def _is_below(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == root:
            return True
    return False


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    """Return how long all threads of a process have computed, as the kernel counts it; 0 once it has ended."""
    try:
        return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except OSError:
        return 0.0
