"""The keys that organizations gave us for providers: sealed in the database, opened where a provider is called."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fullhouse.core.clock import Clock, Randomness
from fullhouse.identity.tokens.sealing import seal, unseal
from fullhouse.infra.postgres import Connection, Pool, Record, connection
from fullhouse.payments.providers.port import ProviderKeys

PURPOSE = "provider keys"
FRESH_SECONDS = 5
"""How long a process remembers keys: so soon are new ones used, and removed ones forgotten."""
REMEMBERED_MAX = 10_000
SECRETS_MAX = 3
"""How many webhook secrets are kept at once: the newest, and those before it while they rotate."""


class KeysSealedElsewhere(RuntimeError):
    """Keys do not open: they were sealed under another ``FULLHOUSE_SECRET_KEY``, or their row was changed."""


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What may be shown of an organization's keys."""

    provider: str
    secret_key_hint: str
    publishable_key: str | None
    webhook_secret_hints: tuple[str, ...]
    previous_secret_until: datetime | None
    moves_money: bool
    updated_at: datetime


class Keyring:
    """Finds, keeps and forgets keys."""

    def __init__(self, pool: Pool, clock: Clock, server_key: bytes) -> None:
        """Take the server's secret, from which the key of the seal is derived."""
        self._pool = pool
        self._clock = clock
        self._server_key = server_key
        self._remembered: dict[tuple[UUID, str], tuple[datetime, ProviderKeys | None]] = {}

    async def find_keys(self, organization_id: UUID, provider: str) -> ProviderKeys | None:
        """Return an organization's keys for a provider, at most five seconds old; None where it has none."""
        now = self._clock()
        known = self._remembered.get((organization_id, provider))
        if known is not None and now - known[0] < timedelta(seconds=FRESH_SECONDS):
            return known[1]
        async with connection(self._pool, organization_id) as conn:
            row = await find_row(conn, organization_id, provider)
        keys = self.open(row, now) if row else None
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[organization_id, provider] = (now, keys)
        return keys

    def open(self, row: Record, now: datetime) -> ProviderKeys:
        """Open what is sealed in a row. Older webhook secrets are left out when their time is over."""
        opened = unseal(self._server_key, PURPOSE, row["sealed"], _owner(row))
        if opened is None:
            raise KeysSealedElsewhere
        inside: Mapping[str, Any] = json.loads(opened)
        until: datetime | None = row["previous_secret_until"]
        secrets: list[str] = inside["webhook_secrets"]
        believed = secrets if until is not None and now < until else secrets[:1]
        return ProviderKeys(inside["secret_key"], row["publishable_key"], tuple(believed))

    def close(self, organization_id: UUID, provider: str, keys: ProviderKeys, randomness: Randomness) -> bytes:
        """Seal keys for their row, and forget what was remembered."""
        self._remembered.pop((organization_id, provider), None)
        inside = {"secret_key": keys.secret_key, "webhook_secrets": list(keys.webhook_secrets)}
        owner = _owner({"organization_id": organization_id, "provider": provider})
        return seal(self._server_key, PURPOSE, json.dumps(inside).encode(), owner, randomness)

    def forget(self, organization_id: UUID, provider: str) -> None:
        """Forget what was remembered of keys that were removed."""
        self._remembered.pop((organization_id, provider), None)


async def find_row(conn: Connection, organization_id: UUID, provider: str) -> Record | None:
    """Find the row of an organization's keys."""
    return await conn.fetchrow(
        "SELECT * FROM provider_keys WHERE organization_id = $1 AND provider = $2", organization_id, provider
    )


async def list_known(conn: Connection, organization_id: UUID) -> list[KnownKeys]:
    """List what may be shown of an organization's keys."""
    rows = await conn.fetch("SELECT * FROM provider_keys WHERE organization_id = $1 ORDER BY provider", organization_id)
    return [known_of(row) for row in rows]


def known_of(row: Record) -> KnownKeys:
    """Read what may be shown."""
    return KnownKeys(
        provider=row["provider"],
        secret_key_hint=row["secret_key_hint"],
        publishable_key=row["publishable_key"],
        webhook_secret_hints=tuple(row["webhook_secret_hints"]),
        previous_secret_until=row["previous_secret_until"],
        moves_money=row["moves_money"],
        updated_at=row["updated_at"],
    )


def with_secret(keys: ProviderKeys, webhook_secret: str) -> ProviderKeys:
    """Put a new webhook secret before the present ones. Pure."""
    others = tuple(secret for secret in keys.webhook_secrets if secret != webhook_secret)
    return replace(keys, webhook_secrets=(webhook_secret, *others)[:SECRETS_MAX])


def hint(secret: str) -> str:
    """Show the beginning and the end of a secret, never more than its kind and four letters. Pure."""
    kind, _, rest = secret.rpartition("_")
    return f"{kind}_…{rest[-4:]}"


def _owner(row: Mapping[str, Any]) -> bytes:
    return f"{row['organization_id']}/{row['provider']}".encode()
