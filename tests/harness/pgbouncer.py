"""PgBouncer on loopback, lending connections for one transaction each, as the pooler before a database does."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import pytest

SERVER_CONNECTIONS = 3
"""Fewer than the clients of any test, so that each lends its own to others between its transactions."""

_START_SECONDS_MAX = 15.0


def _program() -> str:
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        missing = "no pgbouncer: install Debian's package pgbouncer"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def running_pgbouncer(database_url: str, folder: Path) -> Generator[str]:
    """Run one before a database until the block ends, and give its URL."""
    program, port = _program(), _free_port()
    parts = urlsplit(database_url)
    options = parse_qs(parts.query)
    host = options.get("host", [parts.hostname or "127.0.0.1"])[0]
    database_port = options.get("port", [parts.port or 5432])[0]
    target = f"host={host} port={database_port} user={unquote(parts.username or 'fullhouse')}"
    if parts.password:
        target += f" password='{unquote(parts.password)}'"
    (folder / "pgbouncer.ini").write_text(
        f"""
[databases]
* = {target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 200
""",
        encoding="utf-8",
    )
    # It refuses to run as root, and another user would not reach the socket of an embedded server.
    as_nobody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.getuid() == 0 else []
    log = folder / "pgbouncer.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*as_nobody, program, str(folder / "pgbouncer.ini")], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _await_port(server, port, log)
        user = parts.username or "fullhouse"
        yield urlunsplit(("postgresql", f"{user}@127.0.0.1:{port}", parts.path, "", ""))
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await_port(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS_MAX
    while True:
        assert server.poll() is None, log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        else:
            return
