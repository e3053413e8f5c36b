"""The keys that sign access tokens, as one process knows them: never more than five seconds behind the database.

A key is published when it is made and signs some minutes later, so that whoever checks tokens knows it before the
first one comes. Its predecessor verifies until the last token that it signed is gone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fullhouse.core.clock import Clock, Randomness
from fullhouse.identity.queries import load_signing_keys
from fullhouse.identity.tokens.rotate_signing_keys import KEY_PURPOSE, make_first_key
from fullhouse.identity.tokens.sealing import unseal
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction

KNOWN_SECONDS_MAX = 5.0
"""How long this process believes what it has read."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with what this process can do with it."""

    key_id: str
    public_key: bytes
    signs_from: datetime
    private_key: Ed25519PrivateKey | None
    """None if the server's secret is not the one under which it was made: the key still verifies."""


@dataclass(frozen=True, slots=True)
class _Known:
    keys: Mapping[str, SigningKey]
    read_at: datetime
    """By the clock of this process."""
    skew: timedelta
    """What the database's clock is ahead of this process's."""


class SigningKeys:
    """Reads the keys when they are asked for, at most every five seconds, for all requests of a process at once."""

    def __init__(self, pool: Pool, server_key: bytes, issuer: str, clock: Clock, randomness: Randomness) -> None:
        """Start without any; the first request reads them.

        ``issuer`` is the public address of this installation: it stands in every token, as issuer and as audience.
        """
        self.issuer = issuer
        self._pool = pool
        self._server_key = server_key
        self._clock = clock
        self._randomness = randomness
        self._known: _Known | None = None
        self._reading = asyncio.Lock()

    async def find_signing_key(self) -> SigningKey:
        """Return the key that signs now; the first one is made here. Raises ``DatabaseUnavailable``."""
        known = await self._read_unless(KNOWN_SECONDS_MAX)
        key = self._signing(known)
        if key is None:
            async with transaction(self._pool, NO_ORGANIZATION) as conn:
                await make_first_key(conn, self._server_key, self._randomness)
            key = self._signing(await self._read_unless(0.0))
        if key is None:
            raise LookupError("a signing key was made and is not there")
        return key

    async def find_public_key(self, key_id: str) -> bytes | None:
        """Return the public part of a key that still verifies, or None. Raises ``DatabaseUnavailable``."""
        known = await self._read_unless(KNOWN_SECONDS_MAX)
        if key_id not in known.keys:
            # It may have been made a moment ago. Strangers choose ids too, so all who ask wait for one reading.
            known = await self._read_unless(0.0)
        key = known.keys.get(key_id)
        return None if key is None else key.public_key

    async def list_keys(self) -> Sequence[SigningKey]:
        """Return all keys that verify now or will sign, oldest first. Raises ``DatabaseUnavailable``."""
        await self.find_signing_key()
        known = await self._read_unless(KNOWN_SECONDS_MAX)
        return sorted(known.keys.values(), key=lambda key: key.signs_from)

    async def now(self) -> datetime:
        """Return the present instant by the clock of the database, which all processes share."""
        known = await self._read_unless(KNOWN_SECONDS_MAX)
        return self._clock() + known.skew

    def _signing(self, known: _Known) -> SigningKey | None:
        now = self._clock() + known.skew
        ready = [key for key in known.keys.values() if key.private_key is not None and key.signs_from <= now]
        return max(ready, key=lambda key: key.signs_from, default=None)

    async def _read_unless(self, seconds: float) -> _Known:
        """Return what is known, read anew if it is older than some seconds."""
        known = self._known
        if known is not None and self._is_fresh(known, seconds):
            return known
        asked_at = self._clock()
        async with self._reading:
            # Whoever waited here for another's reading has an answer that began after the question.
            if self._known is not None and (self._known.read_at >= asked_at or self._is_fresh(self._known, seconds)):
                return self._known
            self._known = await self._read()
            return self._known

    def _is_fresh(self, known: _Known, seconds: float) -> bool:
        return timedelta(0) <= self._clock() - known.read_at < timedelta(seconds=seconds)

    async def _read(self) -> _Known:
        read_at = self._clock()
        async with connection(self._pool, NO_ORGANIZATION) as conn:
            stored, now = await load_signing_keys(conn)
        keys = {
            key.key_id: SigningKey(key.key_id, key.public_key, key.signs_from, self._open(key.key_id, key.sealed))
            for key in stored
        }
        return _Known(keys, read_at, now - read_at)

    def _open(self, key_id: str, sealed: bytes) -> Ed25519PrivateKey | None:
        secret = unseal(self._server_key, KEY_PURPOSE, sealed, key_id.encode())
        return None if secret is None else Ed25519PrivateKey.from_private_bytes(secret)
