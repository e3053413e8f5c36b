"""Embedded Valkey: it comes back warm, for its owner alone, and dies with whom it belongs to."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.processes import wait_until
from valkey.asyncio import Valkey
from valkey.exceptions import AuthenticationError

from fullhouse.infra.embedded import valkey
from fullhouse.infra.embedded.process import SOCKET_PATH_BYTES_MAX, EmbeddedServerError


@pytest.fixture
def running(short_folder: Path) -> Iterator[valkey.EmbeddedValkey]:
    server = valkey.start(short_folder / "valkey")
    yield server
    if server.is_running():
        server.stop()


async def ask(url: str, *words: str) -> object:
    client = Valkey.from_url(url)
    try:
        return await client.execute_command(*words)
    finally:
        await client.aclose()


async def test_server_listens_for_its_owner_alone(running: valkey.EmbeddedValkey) -> None:
    assert running.socket is not None
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o700
    assert running.port == 0
    assert await ask(running.url, "CONFIG", "GET", "appendfsync") == [b"appendfsync", b"everysec"]


async def test_stop_and_start_keeps_keys(short_folder: Path) -> None:
    first = valkey.start(short_folder / "valkey")
    await ask(first.url, "SET", "kept", "1")
    first.stop()
    second = valkey.start(short_folder / "valkey")
    try:
        assert await ask(second.url, "GET", "kept") == b"1"
    finally:
        second.stop()


async def test_kill_9_keeps_what_was_written_to_the_file(running: valkey.EmbeddedValkey) -> None:
    await ask(running.url, "SET", "kept", "1")
    os.kill(running.pid, signal.SIGKILL)
    wait_until(lambda: not running.is_running(), "the killed server is noticed")
    running.restart()
    assert await ask(running.url, "GET", "kept") == b"1"


async def test_torn_end_of_the_file_does_not_stop_the_start(short_folder: Path) -> None:
    first = valkey.start(short_folder / "valkey")
    await ask(first.url, "SET", "kept", "1")
    first.stop()
    file = next((short_folder / "valkey" / "appendonlydir").glob("*.incr.aof"))
    with file.open("ab") as torn:
        torn.write(b"*3\r\n$3\r\nSET\r\n$4\r\nto")
    second = valkey.start(short_folder / "valkey")
    try:
        assert await ask(second.url, "GET", "kept") == b"1"
    finally:
        second.stop()


async def test_two_folders_side_by_side_are_apart(running: valkey.EmbeddedValkey, short_folder: Path) -> None:
    other = valkey.start(short_folder / "other")
    try:
        await ask(other.url, "SET", "here", "1")
        assert await ask(running.url, "GET", "here") is None
    finally:
        other.stop()


def test_folder_in_use_is_refused_in_one_line(running: valkey.EmbeddedValkey, short_folder: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"^the data folder \S+ is in use by another running Fullhouse$"):
        valkey.start(short_folder / "valkey")
    assert running.is_running()


async def test_long_path_uses_loopback_with_a_password(short_folder: Path) -> None:
    folder = short_folder / ("long path with 'quotes' " + "x" * SOCKET_PATH_BYTES_MAX)
    server = valkey.start(folder)
    try:
        assert server.socket is None
        assert await ask(server.url, "CONFIG", "GET", "bind") == [b"bind", b"127.0.0.1"]
        with pytest.raises(AuthenticationError):
            await ask(f"valkey://127.0.0.1:{server.port}/0", "PING")
        assert valkey.running_url(folder) == server.url
    finally:
        server.stop()
    assert valkey.running_url(folder) is None


def test_running_url_is_known_to_others(running: valkey.EmbeddedValkey, short_folder: Path) -> None:
    assert valkey.running_url(short_folder / "valkey") == running.url
    running.stop()
    assert valkey.running_url(short_folder / "valkey") is None
    assert valkey.running_url(short_folder / "never") is None


def test_a_server_whose_settings_are_being_written_does_not_run_yet(
    running: valkey.EmbeddedValkey, short_folder: Path
) -> None:
    assert running.is_running()
    (short_folder / "valkey" / valkey._CONFIG).write_text("", encoding="ascii")
    assert valkey.running_url(short_folder / "valkey") is None
