"""Embedded PostgreSQL: nothing committed is lost, nothing is left running, nobody else's data is touched."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from harness.processes import descendants, is_alive, short_folder_in, wait_until

from fullhouse.infra.embedded import postgres
from fullhouse.infra.embedded.process import SOCKET_PATH_BYTES_MAX, EmbeddedServerError

DATA = Path(__file__).parents[2] / ".data"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Make data once, in ``postgres``: it takes longer than all else. Each test starts and ends its server."""
    with short_folder_in(DATA) as folder:
        postgres.start(folder / "postgres").stop()
        yield folder


@pytest.fixture
def running(home: Path) -> Iterator[postgres.EmbeddedPostgres]:
    server = postgres.start(home / "postgres")
    yield server
    if server.is_running():
        server.stop()


async def fetchval(url: str, query: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def write_rows(url: str, count: int) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute("DROP TABLE IF EXISTS kept")
        await conn.execute("CREATE TABLE kept (id int)")
        await conn.execute("INSERT INTO kept SELECT generate_series(1, $1::int)", count)
    finally:
        await conn.close()


async def test_server_is_durable_and_sorts_by_code_point(running: postgres.EmbeddedPostgres) -> None:
    assert await fetchval(running.url, "SHOW fsync") == "on"
    assert await fetchval(running.url, "SHOW synchronous_commit") == "on"
    assert await fetchval(running.url, "SHOW data_checksums") == "on"
    assert await fetchval(running.url, "SHOW server_encoding") == "UTF8"
    assert await fetchval(running.url, "SELECT 'a' > 'B'") is True
    assert await fetchval(running.url, "SELECT upper('ção')") == "ÇÃO"


async def test_server_listens_for_its_owner_alone(running: postgres.EmbeddedPostgres) -> None:
    assert running.socket is not None
    assert stat.S_IMODE(running.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.socket.parent / "password").stat().st_mode) == 0o600
    assert await fetchval(running.url, "SHOW listen_addresses") == ""


async def test_stop_and_start_keeps_rows_and_files_whole(home: Path) -> None:
    first = postgres.start(home / "postgres")
    await write_rows(first.url, 10)
    first.stop()
    assert not is_alive(first.pid)
    second = postgres.start(home / "postgres")
    try:
        assert second.url == first.url
        assert await fetchval(second.url, "SELECT count(*) FROM kept") == 10
    finally:
        second.stop()
    assert "database system was not properly shut down" not in second.folder.log.read_text(encoding="utf-8")


async def test_kill_9_of_the_server_loses_nothing(running: postgres.EmbeddedPostgres) -> None:
    await write_rows(running.url, 1_000)
    below = descendants(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    wait_until(lambda: not running.is_running(), "the killed server is noticed")
    running.restart()
    assert await fetchval(running.url, "SELECT count(*) FROM kept") == 1_000
    assert {pid for pid in below if is_alive(pid)} == set()


async def test_stale_pid_file_that_names_a_living_process_does_not_stop_the_start(home: Path) -> None:
    first = postgres.start(home / "postgres")
    first.stop()
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{pid_file.parent}\n0\n5432\n\n\n0 0\nready\n", encoding="utf-8")
    second = postgres.start(home / "postgres")
    try:
        assert await fetchval(second.url, "SELECT 1") == 1
    finally:
        second.stop()


async def test_stale_lock_of_the_socket_that_names_another_server_does_not_stop_the_start(
    running: postgres.EmbeddedPostgres, short_folder: Path
) -> None:
    """After a kill its number may belong to another process of the same user, such as another server."""
    killed = postgres.start(short_folder / "other")
    os.kill(killed.pid, signal.SIGKILL)
    wait_until(lambda: not killed.is_running(), "the killed server is noticed")
    [lock] = killed.folder.path.glob(".s.PGSQL.*.lock")
    lock.write_text(f"{running.pid}\n{lock.parent}/data\n0\n5432\n{lock.parent}\n", encoding="utf-8")
    killed.restart()
    try:
        assert await fetchval(killed.url, "SELECT 1") == 1
    finally:
        killed.stop()


async def test_two_folders_side_by_side_are_apart(running: postgres.EmbeddedPostgres, short_folder: Path) -> None:
    await write_rows(running.url, 2)
    other = postgres.start(short_folder / "other")
    try:
        assert await fetchval(other.url, "SELECT to_regclass('kept')") is None
        await write_rows(other.url, 3)
        assert await fetchval(running.url, "SELECT count(*) FROM kept") == 2
        assert await fetchval(other.url, "SELECT count(*) FROM kept") == 3
    finally:
        other.stop()


async def test_folder_in_use_is_refused_in_one_line(running: postgres.EmbeddedPostgres, home: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"^the data folder \S+ is in use by another running Fullhouse$"):
        postgres.start(home / "postgres")
    assert await fetchval(running.url, "SELECT 1") == 1


async def test_half_made_data_is_made_again(short_folder: Path) -> None:
    half = short_folder / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n", encoding="ascii")
    server = postgres.start(short_folder / "postgres")
    try:
        assert await fetchval(server.url, "SELECT current_database()") == "fullhouse"
    finally:
        server.stop()
    assert not half.exists()


async def test_long_path_uses_loopback_with_a_password(short_folder: Path) -> None:
    folder = short_folder / ("long, path with 'quotes' " + "x" * SOCKET_PATH_BYTES_MAX)
    server = postgres.start(folder)
    try:
        assert server.socket is None
        assert await fetchval(server.url, "SHOW listen_addresses") == "127.0.0.1"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetchval(f"postgresql://fullhouse:wrong@127.0.0.1:{server.port}/fullhouse", "SELECT 1")
        assert postgres.running_url(folder) == server.url
        await write_rows(server.url, 1)
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server.is_running(), "the killed server is noticed")
        server.restart()
        assert await fetchval(server.url, "SELECT count(*) FROM kept") == 1
    finally:
        server.stop()


def test_running_url_is_known_to_others(running: postgres.EmbeddedPostgres, home: Path) -> None:
    assert postgres.running_url(home / "postgres") == running.url
    running.stop()
    assert postgres.running_url(home / "postgres") is None
    assert postgres.running_url(home / "never") is None


def test_server_that_cannot_start_says_why(home: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"^PostgreSQL did not start in .*unrecognized configuration"):
        postgres.start(home / "postgres", {"no_such_setting": "1"})
    server = postgres.start(home / "postgres")
    server.stop()
