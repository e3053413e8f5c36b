"""Objects as files of a folder. A put is written aside, flushed to the disk, and then renamed into its place."""

import asyncio
import os
import tempfile
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
        aside.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(aside, path, data, replace=True)
    except OSError as refused:
        raise ObjectStoreUnavailable(f"{path}: {refused.strerror}", retry_after_seconds=5) from refused


def write_durably(aside: Path, path: Path, data: bytes, *, replace: bool) -> bool:
    """Put a whole, flushed file at ``path``, or nothing. ``aside`` is a folder of the same file system.

    With ``replace`` false, a file that is already there stays and False is returned; two writers at once leave
    exactly one file. Raises ``OSError``.
    """
    handle, name = tempfile.mkstemp(dir=aside)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(name, path)  # noqa: PTH105 (a name from mkstemp is a string)
            name = ""
        else:
            try:
                os.link(name, path)
            except FileExistsError:
                return False
    finally:
        if name:
            os.unlink(name)  # noqa: PTH108 (a name from mkstemp is a string)
    _flush_folder(path.parent)
    return True


def _flush_folder(folder: Path) -> None:
    """Make a rename or a link durable: it is only when its folder has reached the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
