"""Embedded servers end with the process that owns them, and run for every kind of user."""

import os
import pwd
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from harness.processes import (
    ORDINARY_UID,
    Program,
    as_ordinary_user,
    clean_environment,
    descendants,
    is_alive,
    open_to_all,
    python,
    uid_of_process,
    wait_until,
    without_namespaces,
)

from fullhouse.infra.embedded import postgres

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")

START = """
import sys, time
from pathlib import Path
from fullhouse.infra.embedded import postgres, valkey
folder = Path(sys.argv[1])
servers = [postgres.start(folder / "postgres"), valkey.start(folder / "valkey")]
print("pids", *(server.pid for server in servers), flush=True)
sys.stdin.read()
time.sleep(600)
"""


class Owner:
    """A process that owns both servers."""

    def __init__(self, folder: Path, before: list[str]) -> None:
        script = [*python(START), str(folder)]
        self.program = Program(script, folder, clean_environment(), before)
        self.program.wait_for("pids")
        self.pids = [int(word) for word in self.program.text().split()[1:3]]


@pytest.fixture
def owners(short_folder: Path) -> Iterator[list[Owner]]:
    assert short_folder.is_dir(), "the folder is removed after its owners have ended"
    started: list[Owner] = []
    yield started
    for owner in started:
        owner.program.end()


async def count_kept(url: str) -> int:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        await conn.execute("INSERT INTO kept VALUES (1)")
        return int(await conn.fetchval("SELECT count(*) FROM kept"))
    finally:
        await conn.close()


async def test_kill_9_of_the_owner_leaves_no_orphan_and_no_damage(short_folder: Path, owners: list[Owner]) -> None:
    for round_number in (1, 2, 3):
        owner = Owner(short_folder, [])
        owners.append(owner)
        url = postgres.running_url(short_folder / "postgres")
        assert url is not None
        assert await count_kept(url) == round_number
        everything = descendants(owner.program.pid)
        assert set(owner.pids) <= everything
        # The next owner starts at once, while the servers of this one may still be going down.
        os.kill(owner.program.pid, signal.SIGKILL)
        owner.program.wait()
    wait_until(lambda: not any(is_alive(pid) for owner in owners for pid in owner.pids), "all servers are gone")


def test_servers_are_told_nothing_by_ctrl_c(short_folder: Path, owners: list[Owner]) -> None:
    owner = Owner(short_folder, [])
    owners.append(owner)
    groups = {os.getpgid(pid) for pid in owner.pids}
    assert groups == set(owner.pids)
    assert os.getpgid(owner.program.pid) not in groups


@is_root
def test_root_runs_postgres_without_power_over_the_system(short_folder: Path, owners: list[Owner]) -> None:
    owner = Owner(short_folder, [])
    owners.append(owner)
    status = Path(f"/proc/{owner.pids[0]}/status").read_text(encoding="utf-8")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
    assert int(effective.split()[1], 16) == 0
    assert (short_folder / "postgres" / "data").stat().st_uid == 0


@is_root
@needs_setpriv
async def test_ordinary_user_runs_both(short_folder: Path, owners: list[Owner]) -> None:
    os.chown(short_folder, ORDINARY_UID, ORDINARY_UID)
    owner = Owner(short_folder, as_ordinary_user())
    owners.append(owner)
    assert [uid_of_process(pid) for pid in owner.pids] == [ORDINARY_UID, ORDINARY_UID]
    assert (short_folder / "postgres" / "data").stat().st_uid == ORDINARY_UID
    url = postgres.running_url(short_folder / "postgres")
    assert url is not None
    assert await count_kept(url) == 1


@is_root
async def test_root_goes_on_with_the_folder_of_an_ordinary_user(short_folder: Path, owners: list[Owner]) -> None:
    open_to_all(short_folder)
    for name in ("postgres", "valkey"):
        (short_folder / name).mkdir(mode=0o700)
        os.chown(short_folder / name, ORDINARY_UID, ORDINARY_UID)
    owner = Owner(short_folder, [])
    owners.append(owner)
    assert [uid_of_process(pid) for pid in owner.pids] == [ORDINARY_UID, ORDINARY_UID]
    url = postgres.running_url(short_folder / "postgres")
    assert url is not None
    assert await count_kept(url) == 1


@is_root
async def test_root_runs_both_where_namespaces_are_forbidden(short_folder: Path, owners: list[Owner]) -> None:
    open_to_all(short_folder)
    owner = Owner(short_folder, without_namespaces())
    owners.append(owner)
    uid = uid_of_process(owner.pids[0])
    assert uid != 0
    assert (short_folder / "postgres" / "data").stat().st_uid == uid
    url = postgres.running_url(short_folder / "postgres")
    assert url is not None
    assert await count_kept(url) == 1
    everything = descendants(owner.program.pid)
    os.kill(owner.program.pid, signal.SIGKILL)
    owner.program.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in everything), "all servers are gone")
    # Where namespaces are allowed again, the same folder serves on.
    again = Owner(short_folder, [])
    owners.append(again)
    url = postgres.running_url(short_folder / "postgres")
    assert url is not None
    assert await count_kept(url) == 2


@is_root
@needs_setpriv
async def test_user_without_a_name_runs_both(short_folder: Path, owners: list[Owner]) -> None:
    nameless = next(uid for uid in range(40_000, 50_000) if uid not in {entry.pw_uid for entry in pwd.getpwall()})
    os.chown(short_folder, nameless, nameless)
    owner = Owner(short_folder, as_ordinary_user(nameless))
    owners.append(owner)
    assert (short_folder / "postgres" / "data").stat().st_uid == nameless
    url = postgres.running_url(short_folder / "postgres")
    assert url is not None
    assert await count_kept(url) == 1
