"""``fullhouse up``, the whole product: it starts, stops, survives kills, and goes on where it was."""

import http.client
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from harness.api_process import is_ready
from harness.processes import (
    ORDINARY_UID,
    Program,
    as_ordinary_user,
    clean_environment,
    descendants,
    fullhouse,
    is_alive,
    open_to_all,
    wait_until,
)

from fullhouse.infra.embedded import postgres

pytestmark = pytest.mark.timeout(240)


class Up:
    """A running ``fullhouse up`` with its data in ``folder/data``."""

    def __init__(self, folder: Path, *arguments: str, before: list[str] | None = None, **environment: str) -> None:
        self.folder = folder
        self.program = Program(
            fullhouse("up", "--data-dir", str(folder / "data"), *arguments),
            folder,
            clean_environment(**environment),
            before or [],
        )

    def await_ready(self) -> "Up":
        self.program.wait_for("Ctrl-C stops it")
        return self

    @property
    def address(self) -> str:
        found = re.search(r"Fullhouse is ready: (\S+)", self.program.text())
        assert found is not None, self.program.text()
        return found[1]

    def shown(self, name: str) -> str:
        found = re.search(rf"^  {name} +(\S+)$", self.program.text(), flags=re.MULTILINE)
        assert found is not None, self.program.text()
        return found[1]

    def get(self, path: str, key: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def children(self, word: str) -> set[int]:
        """Return the ids of the processes below that have the word among their arguments."""
        return {pid for pid in descendants(self.program.pid) if word in arguments_of(pid)}

    def stop(self) -> int:
        self.program.send(signal.SIGINT)
        return self.program.wait()


def arguments_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


@pytest.fixture
def start(short_folder: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start_one(*arguments: str, name: str = "one", before: list[str] | None = None, **environment: str) -> Up:
        folder = short_folder / name
        folder.mkdir(exist_ok=True)
        if before:
            open_to_all(short_folder)
            os.chown(folder, ORDINARY_UID, ORDINARY_UID)
        started.append(Up(folder, *arguments, before=before, **environment))
        return started[-1]

    yield start_one
    for each in started:
        each.program.end()


async def run_sql(folder: Path, statement: str) -> object:
    url = postgres.running_url(folder / "data" / "postgres")
    assert url is not None
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


def test_first_start_sells_second_start_goes_on(start: Callable[..., Up], short_folder: Path) -> None:
    first = start("--demo").await_ready()
    status, text = first.get("/api/v1/events")
    assert status == 200
    events = json.loads(text)["items"]
    assert len(events) == 2
    keys = [first.shown(f"demo {role}'s key") for role in ("manager", "scanner")]
    organization = first.shown("demo organization")
    assert first.get(f"/api/v1/organizations/{organization}", keys[0])[0] == 200
    below = descendants(first.program.pid)
    assert first.stop() == 0
    assert first.program.text().endswith("Stopped.\n")
    assert {pid for pid in below if is_alive(pid)} == set()
    second = start("--demo").await_ready()
    assert json.loads(second.get("/api/v1/events")[1])["items"] == events
    assert [second.shown(f"demo {role}'s key") for role in ("manager", "scanner")] == keys
    assert second.stop() == 0
    assert sorted(path.name for path in short_folder.iterdir()) == ["one"]
    assert {path.name for path in (short_folder / "one").iterdir() if path.is_dir()} == {"data"}


async def test_kill_9_of_the_parent_leaves_no_orphan_and_no_damage(
    start: Callable[..., Up], short_folder: Path
) -> None:
    first = start().await_ready()
    await run_sql(short_folder / "one", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
    below = descendants(first.program.pid)
    assert len(below) >= 4
    os.kill(first.program.pid, signal.SIGKILL)
    first.program.wait()
    # The next start does not wait for the orphans to be gone, they go by themselves.
    second = start().await_ready()
    assert await run_sql(short_folder / "one", "SELECT count(*) FROM kept") == 1000
    wait_until(lambda: not any(is_alive(pid) for pid in below), "no orphan is left")
    assert second.stop() == 0


async def test_killed_parts_come_back(start: Callable[..., Up], short_folder: Path) -> None:
    running = start().await_ready()
    await run_sql(short_folder / "one", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
    for word in ("api", "worker"):
        killed = running.children(word)
        assert len(killed) == 1
        os.kill(next(iter(killed)), signal.SIGKILL)
        wait_until(lambda word=word, killed=killed: len(running.children(word) - killed) == 1, f"{word} is back")
    server = next(pid for pid in descendants(running.program.pid) if arguments_of(pid)[0].endswith("/postgres"))
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: "PostgreSQL died; it starts again on its data" in running.program.text(), "the death is noticed")
    wait_until(lambda: is_ready(running.address), "all parts are reachable again")
    signed_in = "SELECT array_agg(DISTINCT usename::text) FROM pg_stat_activity WHERE application_name ^@ 'fullhouse'"
    assert await run_sql(short_folder / "one", signed_in) == ["fullhouse_program"], "who serves owns nothing"
    assert await run_sql(short_folder / "one", "SELECT count(*) FROM kept") == 1000
    assert running.stop() == 0


def test_request_in_flight_is_finished_before_the_end(start: Callable[..., Up]) -> None:
    running = start().await_ready()
    host, port = urlsplit(running.address).netloc.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    body = json.dumps({"session_id": "00000000-0000-7000-8000-000000000000", "items": []}).encode()
    connection.putrequest("POST", "/api/v1/reservations")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    assert running.get("/healthz")[0] == 200
    api = next(iter(running.children("api")))
    running.program.send(signal.SIGINT)
    wait_until(lambda: "Stopping" in running.program.text(), "the stop has begun")
    connection.send(body[10:])
    answer = connection.getresponse()
    assert answer.status in {400, 404, 422}
    assert json.loads(answer.read())["request_id"]
    connection.close()
    assert running.program.wait() == 0
    assert not is_alive(api)


def test_two_run_side_by_side(start: Callable[..., Up]) -> None:
    one, two = start(name="one"), start(name="two")
    one.await_ready()
    two.await_ready()
    assert one.address != two.address
    assert {one.get("/readyz")[0], two.get("/readyz")[0]} == {200}
    assert (one.stop(), two.stop()) == (0, 0)


def test_second_start_in_the_same_folder_is_refused_in_one_line(start: Callable[..., Up]) -> None:
    running = start().await_ready()
    second = start()
    assert second.program.wait() == 2
    assert re.fullmatch(
        r"fullhouse: the data folder \S+/postgres is in use by another running Fullhouse\n", second.program.text()
    )
    assert running.get("/readyz")[0] == 200


def test_port_in_use_is_refused_in_one_line(start: Callable[..., Up]) -> None:
    running = start().await_ready()
    port = urlsplit(running.address).port
    second = start("--port", str(port), name="two")
    assert second.program.wait() == 2
    assert second.program.text() == f"fullhouse: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    assert list((second.folder).glob("data*")) == []


def test_external_database_needs_a_secret_key(start: Callable[..., Up]) -> None:
    refused = start(FULLHOUSE_DATABASE_URL="postgresql://fullhouse@127.0.0.1:1/fullhouse")
    assert refused.program.wait() == 2
    assert refused.program.text().startswith("fullhouse: FULLHOUSE_SECRET_KEY is needed here")


def test_several_api_processes_share_the_port(start: Callable[..., Up]) -> None:
    running = start("--workers", "2").await_ready()
    assert len(running.children("api")) == 2
    os.kill(next(iter(running.children("api"))), signal.SIGKILL)
    assert running.get("/healthz")[0] == 200
    assert running.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_ordinary_user_runs_everything(start: Callable[..., Up]) -> None:
    running = start("--demo", before=as_ordinary_user()).await_ready()
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in descendants(running.program.pid)}
    assert owners == {ORDINARY_UID}
    assert len(json.loads(running.get("/api/v1/events")[1])["items"]) == 2
    assert running.stop() == 0


def test_commands_find_the_running_parts_and_stopped_ones(start: Callable[..., Up]) -> None:
    running = start("--demo").await_ready()
    environment = {"FULLHOUSE_DATA_DIR": str(running.folder / "data")}

    def run(*arguments: str) -> str:
        program = Program(fullhouse(*arguments), running.folder, clean_environment(**environment))
        assert program.wait() == 0, program.text()
        return program.text()

    assert run("doctor").startswith("ok   settings: FULLHOUSE_DATA_DIR\nok   database: PostgreSQL 18")
    made = run("create-admin", "--email", "ana.souza@example.org", "--organization", "Casa do Choro")
    key = re.search(r"^API key +(\S+)$", made, flags=re.MULTILINE)
    organization = re.search(r"^organization +(\S+)  Casa do Choro$", made, flags=re.MULTILINE)
    assert key is not None
    assert organization is not None
    assert running.get(f"/api/v1/organizations/{organization[1]}", key[1])[0] == 200
    assert run("migrate") == "The database is up to date.\n"
    assert running.stop() == 0
    assert run("migrate") == "The database is up to date.\n"
    assert run("doctor").count("ok  ") == 7
