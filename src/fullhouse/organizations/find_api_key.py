"""Telling whose API key was presented."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.core.secrets import hash_secret, same_hash
from fullhouse.infra.directory import find_organization
from fullhouse.infra.postgres import Pool, connection
from fullhouse.infra.shared_work import SharedWork
from fullhouse.organizations.queries import StoredKey, load_live_key
from fullhouse.organizations.rules import read_api_key_id
from fullhouse.organizations.writes import note_use

REMEMBERED_SECONDS_MAX = 5
REMEMBERED_COUNT_MAX = 10_000


class ApiKeys:
    """The keys that this process has seen in the last seconds, so that a request does not ask Postgres again.

    A key revoked elsewhere is refused here at most five seconds later. Only good keys are remembered, by their hash.
    """

    def __init__(self, pool: Pool, clock: Clock) -> None:
        """Start with none."""
        self._pool = pool
        self._clock = clock
        self._seen: dict[bytes, tuple[StoredKey, datetime]] = {}
        self._looks: SharedWork[tuple[bytes, int], StoredKey | None] = SharedWork("find api key")
        self._forgotten = 0
        """How often something was forgotten: what was read before is neither shared nor remembered after."""

    async def find_api_key(self, text: str) -> StoredKey | None:
        """Return the live key that a text is, or None. Many who show one key cost one look.

        Raises ``DatabaseUnavailable``.
        """
        key_hash = hash_secret(text)
        remembered = self._recall(key_hash, self._clock())
        if remembered is not None:
            return remembered
        return await self._looks.get((key_hash, self._forgotten), partial(self._load, text))

    async def _load(self, text: str) -> StoredKey | None:
        now, forgotten = self._clock(), self._forgotten
        api_key_id = read_api_key_id(text)
        if api_key_id is None:
            return None
        organization_id = await find_organization(self._pool, "api_key", api_key_id)
        if organization_id is None:
            return None
        async with connection(self._pool, organization_id) as conn:
            stored = await load_live_key(conn, organization_id, api_key_id)
            if stored is None or not same_hash(text, stored.key_hash):
                return None
            if not stored.use_is_noted:
                await note_use(conn, organization_id, api_key_id)
        if forgotten == self._forgotten:
            self._remember(stored, now)
        return stored

    def peek(self, text: str) -> StoredKey | None:
        """Return a live key that was seen a moment ago; None where ``find_api_key`` has to look."""
        return self._recall(hash_secret(text), self._clock())

    def forget(self, api_key_id: UUID) -> None:
        """Ask Postgres again when this key comes next."""
        self._forgotten += 1
        for key_hash in [key_hash for key_hash, (stored, _) in self._seen.items() if stored.api_key_id == api_key_id]:
            del self._seen[key_hash]

    def _recall(self, key_hash: bytes, now: datetime) -> StoredKey | None:
        remembered = self._seen.get(key_hash)
        if remembered is None:
            return None
        if now < remembered[1]:
            return remembered[0]
        del self._seen[key_hash]
        return None

    def _remember(self, stored: StoredKey, now: datetime) -> None:
        while len(self._seen) >= REMEMBERED_COUNT_MAX:
            del self._seen[next(iter(self._seen))]
        until = now + timedelta(seconds=REMEMBERED_SECONDS_MAX)
        self._seen[stored.key_hash] = (stored, min(until, stored.expires_at or until))
