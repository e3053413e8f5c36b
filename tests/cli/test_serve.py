"""``fullhouse api`` and ``fullhouse worker`` as servers run them: against given URLs, stopped by SIGTERM."""

import http.client
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.processes import Program, clean_environment, descendants, fullhouse, is_alive, wait_until

from fullhouse.cli.listen import listen

pytestmark = pytest.mark.timeout(240)

Run = Callable[..., Program]


@pytest.fixture
def run(short_folder: Path, fresh_database: str, valkey_url: str) -> Iterator[Run]:
    started: list[Program] = []
    environment = clean_environment(
        FULLHOUSE_DATABASE_URL=fresh_database,
        FULLHOUSE_VALKEY_URL=valkey_url,
        FULLHOUSE_SECRET_KEY="k" * 32,
        FULLHOUSE_DATA_DIR=str(short_folder / "data"),
    )

    def run_one(*arguments: str) -> Program:
        started.append(Program(fullhouse(*arguments), short_folder, environment))
        return started[-1]

    yield run_one
    for program in started:
        program.end()


def free_port() -> int:
    with listen("127.0.0.1", None) as found:
        return int(found.getsockname()[1])


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_api_serves_until_sigterm(run: Run, processes: int) -> None:
    port = free_port()
    api = run("api", "--port", str(port), "--workers", str(processes))
    wait_until(lambda: is_ready(port) or api.process.poll() is not None, "the API is ready")
    below = descendants(api.pid)
    assert len(below) == (processes if processes > 1 else 0), api.text()
    api.send(signal.SIGTERM)
    assert api.wait() == 0, api.text()
    assert {pid for pid in below if is_alive(pid)} == set()


def test_worker_runs_the_parts_that_are_named(run: Run) -> None:
    worker = run("worker", "--only", "schedule")
    worker.wait_for("schedule_taken")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()
    lines = [json.loads(line) for line in worker.text().splitlines()]
    assert all({"event", "level", "at", "logger"} <= set(line) for line in lines)


def test_port_that_is_taken_while_looking_for_one_is_passed_over() -> None:
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        assert 8000 <= first.getsockname()[1] <= 8999
