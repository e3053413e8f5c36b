"""Objects in a bucket of S3, or of what speaks like it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from obstore import sign_async
from obstore.exceptions import BaseError
from obstore.store import S3Store

from fullhouse.infra.object_store_port import ObjectMissing, ObjectStoreUnavailable, checked_data, checked_key

if TYPE_CHECKING:
    from obstore.store import S3Config

_CALL_SECONDS_MAX = 15
_RETRIES_MAX = 3


class S3Objects:
    """One bucket, with the prefix that all keys get."""

    def __init__(self, bucket: str, prefix: str, options: Mapping[str, str]) -> None:
        """Prepare the client; nothing is asked of the server yet."""
        endpoint = options.get("endpoint", "")
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config=cast("S3Config", dict(options)),
            client_options={
                "timeout": timedelta(seconds=_CALL_SECONDS_MAX),
                "connect_timeout": timedelta(seconds=5),
                "allow_http": urlsplit(endpoint).scheme == "http",
            },
            retry_config={"max_retries": _RETRIES_MAX, "retry_timeout": timedelta(seconds=_CALL_SECONDS_MAX)},
        )

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object with its content type."""
        try:
            await self._store.put_async(
                checked_key(key), checked_data(data), attributes={"Content-Type": content_type}, use_multipart=False
            )
        except (BaseError, OSError) as refused:
            raise _unavailable(refused) from refused

    async def get(self, key: str) -> bytes:
        """Return the whole object."""
        try:
            answer = await self._store.get_async(checked_key(key))
            return bytes(await answer.bytes_async())
        except FileNotFoundError as missing:
            raise ObjectMissing from missing
        except (BaseError, OSError) as refused:
            raise _unavailable(refused) from refused

    async def exists(self, key: str) -> bool:
        """Ask for the object's head."""
        try:
            await self._store.head_async(checked_key(key))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as refused:
            raise _unavailable(refused) from refused
        return True

    async def delete(self, key: str) -> None:
        """Remove the object; S3 does not mind if it is not there, and others who do are answered for."""
        try:
            await self._store.delete_async(checked_key(key))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as refused:
            raise _unavailable(refused) from refused

    async def link(self, key: str, seconds: int) -> str | None:
        """Sign a request to read the object; the server is not asked."""
        try:
            return await sign_async(self._store, "GET", checked_key(key), timedelta(seconds=seconds))
        except (BaseError, OSError) as refused:
            raise _unavailable(refused) from refused

    async def check(self) -> None:
        """List a folder that holds nothing: this asks for the bucket and for valid credentials, and costs one call."""
        try:
            await self._store.list_with_delimiter_async("check")  # pyright: ignore[reportUnknownMemberType] (arrow)
        except (BaseError, OSError) as refused:
            raise _unavailable(refused) from refused


def _unavailable(refused: Exception) -> ObjectStoreUnavailable:
    """Keep the first line: the rest repeats the request, with the address of the bucket."""
    first_line = str(refused).strip().partition("\n")[0]
    return ObjectStoreUnavailable(first_line[:300] or type(refused).__name__, retry_after_seconds=5)
