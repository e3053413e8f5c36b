"""Scanning in batches, one of an organization at a time; the log's constraints decide between processes."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fullhouse.admission.rules import DoorBusy, Scan, Verdict
from fullhouse.admission.scan_batch import Answer, Asked, ScanAnswer, scan_batch
from fullhouse.admission.scan_ticket import ask, believe, read_scan
from fullhouse.core.ids import MakeId
from fullhouse.infra.batches import Batches
from fullhouse.infra.postgres import Pool, connection
from fullhouse.tickets.code import TicketClaims, checking_key
from fullhouse.tickets.queries import load_ticket_key

KEYS_REMEMBERED_MAX = 10_000
CODES_REMEMBERED_MAX = 20_000
"""How many genuine codes a process knows again: about ten megabytes."""


class Doors:
    """The doors of one process, one for each organization that scans."""

    def __init__(self, pool: Pool, make_id: MakeId, server_key: bytes) -> None:
        """Doors open by themselves when somebody scans."""
        self._server_key = server_key
        self._pool = pool
        self._make_id = make_id
        self._waiting: Batches[Asked, ScanAnswer] = Batches(
            self._judge, name="door", full=partial(DoorBusy, retry_after_seconds=1)
        )
        self._keys: dict[tuple[UUID, int], bytes | Ed25519PrivateKey] = {}
        self._genuine: dict[tuple[UUID, str], TicketClaims] = {}

    async def scan(self, scan: Scan) -> ScanAnswer:
        """Wait for the judgement of a scan, committed. Raises ``ScanIdReused``, and ``DoorBusy`` where too many wait.

        The signature is checked here, in the request's own turn; what is believed is judged with its batch.
        """
        return await self._waiting.ask(scan.organization_id, ask(scan, await self._read(scan)))

    async def close(self) -> None:
        """Wait until those that wait have their answers."""
        await self._waiting.close()

    async def _read(self, scan: Scan) -> TicketClaims | Verdict:
        """Read and check a code. One that was found genuine stays so: what its ticket is worth, the batch looks up."""
        genuine = self._genuine.get((scan.organization_id, scan.code))
        if genuine is not None:
            return genuine
        claims = await self._check(scan)
        if isinstance(claims, TicketClaims):
            if len(self._genuine) >= CODES_REMEMBERED_MAX:
                self._genuine.clear()
            self._genuine[scan.organization_id, scan.code] = claims
        return claims

    async def _check(self, scan: Scan) -> TicketClaims | Verdict:
        unread = read_scan(scan)
        if isinstance(unread, Verdict):
            return unread
        # A key never changes under its number, and codes of a retired one stay valid.
        place = scan.organization_id, unread.key_id
        known = self._keys.get(place)
        if known is None:
            async with connection(self._pool, scan.organization_id) as conn:
                key = await load_ticket_key(conn, scan.organization_id, unread.key_id)
            if key is not None:
                if len(self._keys) >= KEYS_REMEMBERED_MAX:
                    self._keys.clear()
                known = self._keys[place] = checking_key(self._server_key, *place, key.public_key)
        return believe(unread, known)

    async def _judge(self, organization_id: UUID, batch: Sequence[Asked]) -> Sequence[Answer | None]:
        async with connection(self._pool, organization_id) as conn:
            return await scan_batch(conn, self._make_id, organization_id, batch)
