"""Objects as files of a folder. A put is written aside, flushed to the disk, and then renamed into its place."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from fullhouse.infra.object_store_port import ObjectMissing, ObjectStoreUnavailable, checked_data, checked_key

_ASIDE = ".aside"


class FolderStore:
    """The folder's own ``.aside`` holds what is being written; a key never starts with a dot, so it cannot clash."""

    def __init__(self, folder: Path) -> None:
        """Name the folder. It is made when something is stored."""
        self.folder = folder

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store a file. The content type is not kept: in a folder, the name's ending tells it."""
        del content_type
        path = self.folder / checked_key(key)
        await asyncio.to_thread(_write, self.folder / _ASIDE, path, checked_data(data))

    async def get(self, key: str) -> bytes:
        """Return the content of a file."""
        return await asyncio.to_thread(_read, self.folder / checked_key(key))

    async def exists(self, key: str) -> bool:
        """Say whether the file is there."""
        return await asyncio.to_thread((self.folder / checked_key(key)).is_file)

    async def delete(self, key: str) -> None:
        """Remove the file, if it is there."""
        path = self.folder / checked_key(key)
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as refused:
            raise ObjectStoreUnavailable(f"{path}: {refused.strerror}", retry_after_seconds=5) from refused

    async def link(self, key: str, seconds: int) -> str | None:  # noqa: ARG002 (a folder has no addresses)
        """Return None: nobody reads a folder from outside."""
        checked_key(key)
        return None

    async def check(self) -> None:
        """Write and remove a file, so that a full or read-only disk is found."""
        await asyncio.to_thread(_write, self.folder / _ASIDE, self.folder / _ASIDE / "check", b"ok")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as missing:
        raise ObjectMissing from missing
    except OSError as refused:
        raise ObjectStoreUnavailable(f"{path}: {refused.strerror}", retry_after_seconds=5) from refused


def _write(aside: Path, path: Path, data: bytes) -> None:
    try:
        write_durably(aside, path, data, replace=True)
    except OSError as refused:
        raise ObjectStoreUnavailable(f"{path}: {refused.strerror}", retry_after_seconds=5) from refused


def write_durably(aside: Path, path: Path, data: bytes, *, replace: bool) -> bool:
    """Put a whole, flushed file at ``path``, or nothing. ``aside`` is a folder of the same file system.

    Folders that are missing are made. With ``replace`` false, a file that is already there stays and False is
    returned; two writers at once leave exactly one file. Raises ``OSError``.
    """
    name = _write_aside(aside, data)
    try:
        if replace:
            _into(path, os.replace, name)
            name = ""
        else:
            try:
                _into(path, os.link, name)
            except FileExistsError:
                return False
    finally:
        if name:
            os.unlink(name)  # noqa: PTH108 (a name from mkstemp is a string)
    _flushes_of(path.parent).flush()
    return True


def _write_aside(aside: Path, data: bytes) -> str:
    try:
        handle, name = tempfile.mkstemp(dir=aside)
    except FileNotFoundError:
        aside.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=aside)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name)  # noqa: PTH108 (a name from mkstemp is a string)
        raise
    return name


def _into(path: Path, move: Callable[[str, Path], None], name: str) -> None:
    """Give a file its place, in a folder that is made for the first one."""
    try:
        move(name, path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        move(name, path)


class _Flushes:
    """Makes renames and links in a folder durable: they are only when their folder has reached the disk.

    Those who come while it is on its way there share the next flush.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._asked = 0
        self._flushed = 0

    def flush(self) -> None:
        """Return when what was renamed or linked before is on the disk. Raises ``OSError``."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._turn:
            if self._flushed >= mine:
                return
            upto = self._asked
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            self._flushed = upto


@lru_cache(maxsize=64)
def _flushes_of(folder: Path) -> _Flushes:
    """Return the flushes of a folder. Whoever lost theirs to another folder only flushes for themselves."""
    return _Flushes(folder)
