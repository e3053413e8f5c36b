"""``fullhouse up``, the whole product: it starts, stops, survives kills, and goes on where it was.

One house serves most tests. It is started again, on its data, for whoever needs it running after it was stopped or
killed; those tests come last.
"""

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
    closed_to_others,
    descendants,
    fullhouse,
    is_alive,
    open_to_all,
    short_folder_in,
    uid_of_process,
    wait_until,
)

from fullhouse.infra.embedded import postgres

DATA = Path(__file__).parents[2] / ".data"
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

    def is_running(self) -> bool:
        return self.program.process.poll() is None

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


class House:
    """The data of one demo, and who runs it now: it is started for whoever finds it stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last: Up | None = None

    def running(self) -> Up:
        if self.last is None or not self.last.is_running():
            self.last = Up(self.folder, "--demo").await_ready()
        return self.last


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with short_folder_in(DATA) as folder:
        (folder / "house").mkdir()
        made = House(folder / "house")
        yield made
        if made.last is not None and made.last.is_running():
            assert made.last.stop() == 0, made.last.program.text()


@pytest.fixture(scope="module")
def beside() -> Iterator[tuple[Up, int]]:
    """Run a second house with two processes of the API, and as an ordinary user where that can be; say who it is."""
    with short_folder_in(DATA) as folder:
        other = folder / "other"
        other.mkdir()
        before, uid = list[str](), os.geteuid()
        if uid == 0 and shutil.which("setpriv") and not closed_to_others(folder):
            before, uid = as_ordinary_user(), ORDINARY_UID
            open_to_all(folder)
            os.chown(other, uid, uid)
        running = Up(other, "--demo", "--workers", "2", before=before)
        try:
            yield running.await_ready(), uid
            assert running.stop() == 0, running.program.text()
        finally:
            running.program.end()


@pytest.fixture
def start(short_folder: Path) -> Iterator[Callable[..., Up]]:
    """Start houses that are meant to be refused."""
    started: list[Up] = []

    def start_one(folder: Path | None = None, *arguments: str, **environment: str) -> Up:
        started.append(Up(folder or short_folder, *arguments, before=None, **environment))
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


def events_of(running: Up) -> list[object]:
    status, text = running.get("/api/v1/events")
    assert status == 200
    items: list[object] = json.loads(text)["items"]
    return items


def keys_of(running: Up) -> list[str]:
    return [running.shown(f"demo {role}'s key") for role in ("manager", "scanner")]


def run(folder: Path, *arguments: str) -> str:
    """Run a command on a house's data."""
    program = Program(fullhouse(*arguments), folder, clean_environment(FULLHOUSE_DATA_DIR=str(folder / "data")))
    assert program.wait() == 0, program.text()
    return program.text()


def test_first_start_sells(house: House) -> None:
    running = house.running()
    assert len(events_of(running)) == 2
    organization = running.shown("demo organization")
    assert running.get(f"/api/v1/organizations/{organization}", keys_of(running)[0])[0] == 200


def test_commands_find_the_running_parts(house: House) -> None:
    running = house.running()
    assert run(house.folder, "doctor").startswith("ok   settings: FULLHOUSE_DATA_DIR\nok   database: PostgreSQL 18")
    made = run(house.folder, "create-admin", "--email", "ana.souza@example.org", "--organization", "Casa do Choro")
    key = re.search(r"^API key +(\S+)$", made, flags=re.MULTILINE)
    organization = re.search(r"^organization +(\S+)  Casa do Choro$", made, flags=re.MULTILINE)
    assert key is not None
    assert organization is not None
    assert running.get(f"/api/v1/organizations/{organization[1]}", key[1])[0] == 200
    assert run(house.folder, "migrate") == "The database is up to date.\n"


def test_second_start_in_the_same_folder_is_refused_in_one_line(house: House, start: Callable[..., Up]) -> None:
    running = house.running()
    second = start(house.folder)
    assert second.program.wait() == 2
    assert re.fullmatch(
        r"fullhouse: the data folder \S+/postgres is in use by another running Fullhouse\n", second.program.text()
    )
    assert running.get("/readyz")[0] == 200


def test_port_in_use_is_refused_in_one_line(house: House, start: Callable[..., Up]) -> None:
    port = urlsplit(house.running().address).port
    second = start(None, "--port", str(port))
    assert second.program.wait() == 2
    assert second.program.text() == f"fullhouse: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    assert list(second.folder.glob("data*")) == []


def test_external_database_needs_a_secret_key(start: Callable[..., Up]) -> None:
    refused = start(FULLHOUSE_DATABASE_URL="postgresql://fullhouse@127.0.0.1:1/fullhouse")
    assert refused.program.wait() == 2
    assert refused.program.text().startswith("fullhouse: FULLHOUSE_SECRET_KEY is needed here")


def test_two_run_side_by_side(house: House, beside: tuple[Up, int]) -> None:
    one, (two, _) = house.running(), beside
    assert one.address != two.address
    assert {one.get("/readyz")[0], two.get("/readyz")[0]} == {200}
    assert set(keys_of(one)).isdisjoint(keys_of(two))


def test_ordinary_user_runs_everything(beside: tuple[Up, int]) -> None:
    running, uid = beside
    if uid == 0:
        pytest.skip("nobody here can become an ordinary user who reaches the folder of the tests")
    assert {uid_of_process(pid) for pid in descendants(running.program.pid)} == {uid}
    assert len(events_of(running)) == 2


def test_several_api_processes_share_the_port(beside: tuple[Up, int]) -> None:
    running, _ = beside
    assert len(running.children("api")) == 2
    os.kill(next(iter(running.children("api"))), signal.SIGKILL)
    assert running.get("/healthz")[0] == 200


async def test_killed_parts_come_back(house: House) -> None:
    running = house.running()
    await run_sql(house.folder, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
    for word, count in (("api", 1), ("relay,consume,schedule,send", 1), ("render", 2)):
        killed = running.children(word)
        assert len(killed) == count
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        back = lambda word=word, killed=killed, count=count: len(running.children(word) - killed) == count  # noqa: E731
        wait_until(back, f"{word} is back")
    server = next(pid for pid in descendants(running.program.pid) if arguments_of(pid)[0].endswith("/postgres"))
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: "PostgreSQL died; it starts again on its data" in running.program.text(), "the death is noticed")
    wait_until(lambda: is_ready(running.address), "all parts are reachable again")
    signed_in = "SELECT array_agg(DISTINCT usename::text) FROM pg_stat_activity WHERE application_name ^@ 'fullhouse'"
    assert await run_sql(house.folder, signed_in) == ["fullhouse_program"], "who serves owns nothing"
    assert await run_sql(house.folder, "SELECT count(*) FROM kept") == 1000


async def test_kill_9_of_the_parent_leaves_no_orphan_and_no_damage(house: House) -> None:
    first = house.running()
    await run_sql(house.folder, "CREATE TABLE whole AS SELECT generate_series(1, 1000) AS id")
    below = descendants(first.program.pid)
    assert len(below) >= 4
    os.kill(first.program.pid, signal.SIGKILL)
    first.program.wait()
    # The next start does not wait for the orphans to be gone, they go by themselves.
    house.running()
    assert await run_sql(house.folder, "SELECT count(*) FROM whole") == 1000
    wait_until(lambda: not any(is_alive(pid) for pid in below), "no orphan is left")


def test_stop_finishes_what_is_in_flight_and_the_next_start_goes_on(house: House) -> None:
    running = house.running()
    events, keys, below = events_of(running), keys_of(running), descendants(running.program.pid)
    host, port = urlsplit(running.address).netloc.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    body = json.dumps({"session_id": "00000000-0000-7000-8000-000000000000", "items": []}).encode()
    connection.putrequest("POST", "/api/v1/reservations")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    assert running.get("/healthz")[0] == 200
    running.program.send(signal.SIGINT)
    wait_until(lambda: "Stopping" in running.program.text(), "the stop has begun")
    connection.send(body[10:])
    answer = connection.getresponse()
    assert answer.status in {400, 404, 422}
    assert json.loads(answer.read())["request_id"]
    connection.close()
    assert running.program.wait() == 0
    assert running.program.text().endswith("Stopped.\n")
    assert {pid for pid in below if is_alive(pid)} == set()
    assert run(house.folder, "migrate") == "The database is up to date.\n"
    assert run(house.folder, "doctor").count("ok  ") == 7
    again = house.running()
    assert (events_of(again), keys_of(again)) == (events, keys)
    assert sorted(path.name for path in house.folder.parent.iterdir()) == ["house"]
    assert {path.name for path in house.folder.iterdir() if path.is_dir()} == {"data"}
