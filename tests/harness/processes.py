"""Child processes of tests: started, watched and killed by their own ids, and never left behind."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

WAIT_SECONDS_MAX = 60.0
ORDINARY_UID = 1000
SHORT_PATH_BYTES_MAX = 60


def wait_until(condition: Callable[[], bool], what: str, seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Wait for the condition; fail, naming it, if it does not come true."""
    until = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds_max:g} s: {what}")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Say whether the process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    below = [pid]
    while below:
        new = children.get(below.pop(), [])
        found.update(new)
        below.extend(new)
    return found


def clean_environment(**changes: str) -> dict[str, str]:
    """Return the environment without settings of the product, but for those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FULLHOUSE_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **changes}


def as_ordinary_user(uid: int = ORDINARY_UID) -> list[str]:
    """Return what to put before a command so that root runs it as an ordinary user.

    That user may still read what root may: the interpreter of the tests may be in root's home.
    """
    user = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return ["setpriv", *user, "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]


def closed_to_others(folder: Path) -> list[Path]:
    """Return the folders above one that do not let an ordinary user pass."""
    return [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]


def open_to_all(folder: Path) -> None:
    """Let every user into the folder; skip the test where a folder above it does not let an ordinary user pass."""
    folder.chmod(0o755)
    if closed := closed_to_others(folder):
        pytest.skip(f"an ordinary user cannot pass {closed[0]}")


@contextmanager
def short_folder_in(data: Path) -> Generator[Path]:
    """Make a folder in the given one; where its path is too long for a socket, in the system's folder instead."""
    data.mkdir(exist_ok=True)
    long = len(bytes(data)) > SHORT_PATH_BYTES_MAX
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=None if long else data))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def uid_of_process(pid: int) -> int:
    """Return as whom a process runs."""
    return Path(f"/proc/{pid}").stat().st_uid


_WITHOUT_NAMESPACES = """
import ctypes, os, signal, sys
entered, mapped = os.pipe(), os.pipe()
child = os.fork()
if child:
    os.read(entered[0], 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write("0 0 65536")
    os.write(mapped[1], b".")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0) == 0
assert ctypes.CDLL(None).unshare(0x10000000) == 0
os.write(entered[1], b".")
os.read(mapped[0], 1)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.execvp(sys.argv[1], sys.argv[1:])
"""


def without_namespaces() -> list[str]:
    """Return what to put before a command so that root runs it where nobody may make a user namespace."""
    return [sys.executable, "-c", _WITHOUT_NAMESPACES]


class Program:
    """A running ``fullhouse`` (or other command) whose output goes to a file."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], before: Sequence[str] = ()
    ) -> None:
        self.output = folder / f"output-{time.monotonic_ns()}.txt"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [*before, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until the text was printed; fail with the whole output if the program ends before."""
        wait_until(lambda: text in self.text() or self.process.poll() is not None, f"{text!r} in {self.text()!r}")
        assert text in self.text(), self.text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds_max: float = WAIT_SECONDS_MAX) -> int:
        return self.process.wait(seconds_max)

    def end(self) -> None:
        """Stop the program if it still runs, whatever state it is in."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(WAIT_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def python(script: str) -> list[str]:
    """Return the command that runs a script in the interpreter of the tests."""
    return [sys.executable, "-c", script]


def fullhouse(*arguments: str) -> list[str]:
    """Return the command that runs the program as installed beside the interpreter of the tests."""
    return [sys.executable, "-m", "fullhouse.cli.main", *arguments]
