"""What the embedded servers have in common: one owner of a folder, a child that dies with us, a clean stop.

Two locks guard a folder. ``supervisor.lock`` belongs to the process that started the server: if it is taken, the
folder is in use and the start fails at once. ``server.lock`` is inherited by the server and all its children: if only
that one is taken, a killed supervisor's server is still going down, and the start waits for it.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullhouse.infra.embedded import child
from fullhouse.infra.errors import OperatorError

SOCKET_PATH_BYTES_MAX = 107
LOG_BYTES_MAX = 8_000_000
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
_GOING_DOWN_SECONDS_MAX = 30.0
_POLL_SECONDS = 0.01


class EmbeddedServerError(OperatorError):
    """An embedded server cannot be started; the text is one line for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one server: its command, the signal that stops it cleanly, and whether it refuses root."""

    name: str
    command: Sequence[str]
    stop_signal: signal.Signals
    refuses_root: bool


class Folder:
    """A data folder that this process owns until it lets go."""

    def __init__(self, path: Path, name: str) -> None:
        """Make the folder if need be and lock it, or raise ``EmbeddedServerError`` if somebody else holds it."""
        self.path = path.absolute()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log = self.path / f"{name}.log"
        self._supervisor_lock = _open_lock(self.path / "supervisor.lock")
        if not _try_lock(self._supervisor_lock):
            os.close(self._supervisor_lock)
            raise EmbeddedServerError(f"the data folder {self.path} is in use by another running Fullhouse")
        self.name = name
        self.server_lock = _open_lock(self.path / "server.lock")
        try:
            self._await_lock()
        except EmbeddedServerError:
            self.release()
            raise

    def await_server_gone(self) -> None:
        """Wait until no process of a dead server is left: what is left of it may still write."""
        # The lock belongs to the open file, which the server inherited: only a newly opened one can tell.
        os.close(self.server_lock)
        self.server_lock = _open_lock(self.path / "server.lock")
        self._await_lock()

    def _await_lock(self) -> None:
        if not wait_until(lambda: _try_lock(self.server_lock), _GOING_DOWN_SECONDS_MAX):
            raise EmbeddedServerError(f"the last {self.name} in {self.path} is still running; stop it first")

    def release(self) -> None:
        """Let go of the folder. The server's lock lives on in the server until it is gone."""
        os.close(self.server_lock)
        os.close(self._supervisor_lock)

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only the owner of the folder, who is who the server runs as, may read."""
        file = self.path / name
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as opened:
            opened.write(text)
        owner = self.path.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.chown(file, owner.st_uid, owner.st_gid)
        return file

    def rotate_log(self) -> None:
        """Keep at most one old log, so that a log never grows without bound over many starts."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))

    def last_line(self) -> str:
        """Return the last line of the log, to explain a server that did not start."""
        if not self.log.exists():
            return "no log was written"
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "its log is empty"


def has_server(path: Path) -> bool:
    """Say whether a server holds the folder at this moment, whoever started it."""
    try:
        descriptor = os.open(path / "server.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Held for an instant at most; who starts a server waits that long.
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def spawn(launch: Launch, folder: Folder, command: Sequence[str] | None = None) -> subprocess.Popen[bytes]:
    """Start the server, or another of its programs in the same folder, as a child that dies with this process.

    Call it from the main thread: the kernel counts the death of the *thread* that started a child as the parent's.
    """
    power = "ordinary" if launch.refuses_root else "same"
    with folder.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # the programs of the installed wheels, no shell
            [
                sys.executable,
                "-I",
                "-S",
                child.__file__,
                str(os.getpid()),
                str(int(launch.stop_signal)),
                str(folder.path),
                power,
                *(command or launch.command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.path,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            pass_fds=(folder.server_lock,),
            # Its own group: Ctrl-C in the terminal must reach us alone, so that requests in flight can finish first.
            process_group=0,
        )


def await_ready(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], name: str, folder: Folder) -> None:
    """Wait until the server answers; raise ``EmbeddedServerError`` with its last log line if it leaves or hangs."""
    try:
        ready = wait_until(lambda: process.poll() is not None or is_ready(), START_SECONDS_MAX)
    except BaseException:
        kill(process)
        raise
    if process.poll() is not None or not ready:
        kill(process)
        raise EmbeddedServerError(f"{name} did not start in {folder.path}: {folder.last_line()}")


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    """Stop the server cleanly; kill it if it does not leave within ``STOP_SECONDS_MAX``."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the process at once and reap it."""
    if process.poll() is None:
        process.kill()
    process.wait()


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds_max: float) -> bool:
    """Poll the condition; say whether it came true in time."""
    until = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
