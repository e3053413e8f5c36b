"""The object store: documents by key, in a folder or in S3, chosen by URL.

``file:///var/lib/fullhouse/objects`` or a plain path is a folder. ``s3://bucket/prefix?endpoint=…&region=…`` is S3 or
what speaks like it, addressed path-style; credentials come from ``access_key_id`` and ``secret_access_key`` in the
query, or else from the standard AWS environment. Plain HTTP is allowed for an endpoint on loopback alone.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from fullhouse.core.errors import Malformed, NotFound, Unavailable
from fullhouse.infra.errors import OperatorError

OBJECT_BYTES_MAX = 50_000_000
KEY_LENGTH_MAX = 500
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_S3_OPTIONS = frozenset({"endpoint", "region", "access_key_id", "secret_access_key"})


class ObjectMissing(NotFound):
    """There is no object with this key."""

    code = "object_missing"
    title = "There is no such object in the object store."


class ObjectStoreUnavailable(Unavailable):
    """The store cannot be reached, is full, or refuses our credentials."""

    code = "object_store_unavailable"
    title = "The object store cannot be used for the moment."


class ObjectStore(Protocol):
    """Documents by key. A put is atomic: a reader sees the old object, the new one, or none, never a part of one."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object, durably, in place of any that has the key. Raises ``ObjectStoreUnavailable``."""
        ...

    async def get(self, key: str) -> bytes:
        """Return an object. Raises ``ObjectMissing``, ``ObjectStoreUnavailable``."""
        ...

    async def exists(self, key: str) -> bool:
        """Say whether there is an object with the key. Raises ``ObjectStoreUnavailable``."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error. Raises ``ObjectStoreUnavailable``."""
        ...

    async def check(self) -> None:
        """Return if the store answers and takes our credentials; else raise ``ObjectStoreUnavailable``."""
        ...


def open_object_store(url: str) -> ObjectStore:
    """Return the store that a URL or a path names. Raises ``OperatorError`` with a sentence if it names none."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _open_s3(parts)
    from fullhouse.infra.object_store_folder import FolderStore  # noqa: PLC0415 (each store loads only its own needs)

    return FolderStore(folder_of(url, "object store"))


def folder_of(url: str, what: str) -> Path:
    """Read ``file:///…`` or a plain path. Raises ``OperatorError`` naming ``what`` for another scheme or host."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path:
            raise OperatorError(f"{what}: file:///… takes a path and no host: {url}")
        return Path(unquote(parts.path))
    if not url or "://" in url:
        raise OperatorError(f"{what}: the scheme of this URL is not known: {url or '(empty)'}")
    return Path(url)


def checked_key(key: str) -> str:
    """Return the key if every part of it is made of ``A-Z a-z 0-9 . _ -`` and starts with no dot."""
    if len(key) > KEY_LENGTH_MAX or not _KEY.fullmatch(key):
        raise Malformed(f"Not a key of an object: {key[:80]!r}")
    return key


def checked_data(data: bytes) -> bytes:
    """Return the data if it is not larger than an object may be."""
    if len(data) > OBJECT_BYTES_MAX:
        raise Malformed(f"An object has at most {OBJECT_BYTES_MAX} bytes, not {len(data)}.")
    return data


def is_loopback(host: str | None) -> bool:
    """Say whether a host is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _open_s3(parts: SplitResult) -> ObjectStore:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - _S3_OPTIONS)
    if unknown:
        raise OperatorError(f"object store: s3://… does not know the option {', '.join(unknown)}")
    if not parts.netloc:
        raise OperatorError("object store: s3://bucket/prefix needs the name of a bucket")
    prefix = parts.path.strip("/")
    if prefix and not _KEY.fullmatch(prefix):
        raise OperatorError(f"object store: not a prefix of keys: {prefix}")
    endpoint = options.get("endpoint")
    if endpoint is not None and not _endpoint_allowed(endpoint):
        raise OperatorError("object store: the endpoint is https://…, or http://… on loopback")
    from fullhouse.infra.object_store_s3 import S3Objects  # noqa: PLC0415 (each store loads only its own needs)

    return S3Objects(parts.netloc, prefix, options)


def _endpoint_allowed(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
