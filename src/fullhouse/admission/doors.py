"""Scanning in batches, one of an organization at a time; the log's constraints decide between processes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fullhouse.admission.rules import DoorBusy, Scan, Verdict
from fullhouse.admission.scan_batch import Answer, Asked, ScanAnswer, scan_batch
from fullhouse.admission.scan_ticket import ask, believe, read_scan
from fullhouse.core.ids import MakeId
from fullhouse.infra.batches import Batches, Pace
from fullhouse.infra.postgres import Pool, connection
from fullhouse.tickets.code import CodeClaims, TicketClaims, checking_key, read_code
from fullhouse.tickets.queries import load_ticket_key

KEYS_REMEMBERED_MAX = 10_000
CODES_REMEMBERED_MAX = 20_000
"""How many genuine codes a process knows again: about ten megabytes."""

BESIDE_MIN: Final = 48
"""So many scans that wait are looked at while those before them are written: two batches may meet as processes do."""


class Doors:
    """The doors of one process, one for each organization that scans."""

    def __init__(self, pool: Pool, make_id: MakeId, server_key: bytes) -> None:
        """Doors open by themselves when somebody scans."""
        self._server_key = server_key
        self._pool = pool
        self._make_id = make_id
        self._waiting: Batches[Asked, ScanAnswer] = Batches(
            self._judge, name="door", full=partial(DoorBusy, retry_after_seconds=1), pace=Pace(beside_min=BESIDE_MIN)
        )
        self._keys: dict[tuple[UUID, int], bytes | Ed25519PrivateKey] = {}
        self._genuine: dict[tuple[UUID, str], TicketClaims] = {}

    async def scan(self, scan: Scan) -> ScanAnswer:
        """Wait for the judgement of a scan, committed. Raises ``ScanIdReused``, and ``DoorBusy`` where too many wait.

        The signature is checked here, in the request's own turn; what is believed is judged with its batch.
        """
        return await self._waiting.ask(scan.organization_id, ask(scan, await self._read(scan)))

    def ask(self, scan: Scan, heard: Callable[[ScanAnswer | Exception], None]) -> bool:
        """Judge as ``scan`` does, and tell ``heard`` what it returns or raises.

        Returns False, with nothing done, where the key of the code is not known yet. May raise ``DoorBusy`` at once.
        """
        claims = self._read_now(scan)
        if claims is None:
            return False
        self._waiting.tell(scan.organization_id, ask(scan, claims), heard)
        return True

    async def close(self) -> None:
        """Wait until those that wait have their answers."""
        await self._waiting.close()

    async def _read(self, scan: Scan) -> TicketClaims | Verdict:
        """Read and check a code, with a key that may have to be looked up."""
        claims = self._read_now(scan)
        if claims is None:
            unread = read_code(scan.code)
            claims = self._believe(scan, unread, await self._load_key(scan.organization_id, unread.key_id))
        return claims

    def _read_now(self, scan: Scan) -> TicketClaims | Verdict | None:
        """Read and check a code; None where its key is not known yet.

        One that was found genuine stays so: what its ticket is worth, the batch looks up.
        """
        genuine = self._genuine.get((scan.organization_id, scan.code))
        if genuine is not None:
            return genuine
        unread = read_scan(scan)
        if isinstance(unread, Verdict):
            return unread
        known = self._keys.get((scan.organization_id, unread.key_id))
        return None if known is None else self._believe(scan, unread, known)

    def _believe(self, scan: Scan, unread: CodeClaims, key: bytes | Ed25519PrivateKey | None) -> TicketClaims | Verdict:
        claims = believe(unread, key)
        if isinstance(claims, TicketClaims):
            if len(self._genuine) >= CODES_REMEMBERED_MAX:
                self._genuine.clear()
            self._genuine[scan.organization_id, scan.code] = claims
        return claims

    async def _load_key(self, organization_id: UUID, key_id: int) -> bytes | Ed25519PrivateKey | None:
        """Look a key up, and remember it: it never changes under its number, and codes of a retired one stay valid."""
        async with connection(self._pool, organization_id) as conn:
            key = await load_ticket_key(conn, organization_id, key_id)
        if key is None:
            return None
        if len(self._keys) >= KEYS_REMEMBERED_MAX:
            self._keys.clear()
        place = organization_id, key_id
        known = self._keys[place] = checking_key(self._server_key, *place, key.public_key)
        return known

    async def _judge(self, organization_id: UUID, batch: Sequence[Asked]) -> Sequence[Answer | None]:
        async with connection(self._pool, organization_id) as conn:
            return await scan_batch(conn, self._make_id, organization_id, batch)
