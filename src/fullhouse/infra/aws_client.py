"""Clients of AWS services, or of what speaks like them at another endpoint.

Credentials come from ``access_key_id`` and ``secret_access_key`` in the query of a URL, or else from the standard AWS
environment. Plain HTTP is allowed for an endpoint on loopback alone.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.places import is_endpoint

CONNECT_SECONDS_MAX = 5
ANSWER_SECONDS_MAX = 30
"""Longer than the longest wait for a message."""

CONNECTIONS_MAX = 50
TRIES_MAX = 3

PLACE_OPTIONS = frozenset({"endpoint", "access_key_id", "secret_access_key"})
"""Options of a URL that say where the service is and who we are there."""


@dataclass(frozen=True, slots=True)
class AwsPlace:
    """Where a service is."""

    region: str
    endpoint: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)


def read_aws_url(parts: SplitResult, what: str, options: frozenset[str]) -> tuple[AwsPlace, Mapping[str, str]]:
    """Read ``scheme://region?…`` into a place and the other options. Raises ``OperatorError`` naming ``what``."""
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = options | PLACE_OPTIONS
    if unknown := sorted(given.keys() - known):
        raise OperatorError(f"{what}: {parts.scheme}://… does not know the option {', '.join(unknown)}")
    if not parts.netloc or parts.path.strip("/"):
        raise OperatorError(f"{what}: write {parts.scheme}://REGION?{'=…&'.join(sorted(known))}=…")
    endpoint = given.get("endpoint")
    if endpoint is not None and not is_endpoint(endpoint):
        raise OperatorError(f"{what}: the endpoint is https://…, or http://… on loopback")
    place = AwsPlace(parts.netloc, endpoint, given.get("access_key_id"), given.get("secret_access_key"))
    return place, {name: value for name, value in given.items() if name in options}


async def open_client(stack: AsyncExitStack, service: str, place: AwsPlace) -> Any:  # noqa: ANN401 (made at run time)
    """Open a client that the stack closes. Raises ``OperatorError`` if the package is not installed."""
    try:
        from aiobotocore.config import AioConfig  # noqa: PLC0415 (an extra)
        from aiobotocore.session import AioSession  # noqa: PLC0415 (the same)
    except ImportError as missing:
        raise OperatorError(f"{service} of AWS needs the package aiobotocore; install fullhouse[aws]") from missing
    session: Any = AioSession()
    client = session.create_client(
        service,
        region_name=place.region,
        endpoint_url=place.endpoint,
        aws_access_key_id=place.access_key_id,
        aws_secret_access_key=place.secret_access_key,
        config=AioConfig(
            connect_timeout=CONNECT_SECONDS_MAX,
            read_timeout=ANSWER_SECONDS_MAX,
            max_pool_connections=CONNECTIONS_MAX,
            retries={"mode": "standard", "total_max_attempts": TRIES_MAX},
        ),
    )
    return await stack.enter_async_context(client)


def error_code(error: Exception) -> str:
    """Return the code with which a service refused; empty if it did not answer."""
    answer: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))
