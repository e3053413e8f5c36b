"""The API as operators run it: ``fullhouse api`` in a process of its own, on a port of loopback."""

import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from harness.processes import Program, clean_environment, fullhouse, wait_until
from harness.web import SECRET_KEY


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings_of(database_url: str, valkey_url: str, folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a process of the product that works on given servers."""
    return clean_environment(
        FULLHOUSE_DATABASE_URL=database_url,
        FULLHOUSE_VALKEY_URL=valkey_url,
        FULLHOUSE_DATA_DIR=str(folder),
        FULLHOUSE_SECRET_KEY=SECRET_KEY.decode(),
        FULLHOUSE_SIMULATED_PAYMENTS="on",
        **{f"FULLHOUSE_{name.upper()}": value for name, value in settings.items()},
    )


@contextmanager
def api_process(folder: Path, environment: Mapping[str, str]) -> Generator[tuple[Program, str]]:
    """Run the API until the block ends; give the process and the address at which it is ready."""
    port = free_port()
    program = Program(fullhouse("api", "--host", "127.0.0.1", "--port", str(port)), folder, environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_ready(address) or program.process.poll() is not None, "the API answers")
        assert program.process.poll() is None, program.text()
        yield program, address
    finally:
        program.end()


@contextmanager
def worker_process(folder: Path, environment: Mapping[str, str]) -> Generator[Program]:
    """Run a worker until the block ends."""
    program = Program(fullhouse("worker"), folder, environment)
    try:
        yield program
    finally:
        program.end()


def is_ready(address: str) -> bool:
    """Ask whether the API is ready."""
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False
