"""Scanning in batches: whatever was scanned while the last batch was being committed is the next one.

Nothing waits for company: a lone scan is a batch of one. One batch of an organization is in flight in each process; the
log's constraints decide between processes.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.admission.rules import DoorBusy, Scan, Verdict
from fullhouse.admission.scan_batch import Answer, Asked, ScanAnswer, scan_batch
from fullhouse.admission.scan_ticket import ask, believe, read_scan
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.tickets.code import TicketClaims
from fullhouse.tickets.queries import load_ticket_key

BATCH_MAX = 64
WAITING_MAX = 4_096
KEYS_REMEMBERED_MAX = 10_000
CODES_REMEMBERED_MAX = 20_000
"""How many genuine codes a process knows again: about ten megabytes."""


@dataclass(slots=True)
class _Door:
    organization_id: UUID
    waiting: deque[tuple[Asked, asyncio.Future[ScanAnswer]]] = field(
        default_factory=deque[tuple[Asked, asyncio.Future[ScanAnswer]]]
    )


class Doors:
    """The doors of one process, one for each organization that scans."""

    def __init__(self, pool: Pool, make_id: MakeId) -> None:
        """Doors open by themselves when somebody scans."""
        self._pool = pool
        self._make_id = make_id
        self._doors: dict[UUID, _Door] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._keys: dict[tuple[UUID, int], bytes] = {}
        self._genuine: dict[tuple[UUID, str], TicketClaims] = {}

    async def scan(self, scan: Scan) -> ScanAnswer:
        """Wait for the judgement of a scan, committed. Raises ``ScanIdReused``, and ``DoorBusy`` where too many wait.

        The signature is checked here, in the request's own turn; what is believed is judged with its batch.
        """
        asked = ask(scan, await self._read(scan))
        answer: asyncio.Future[ScanAnswer] = asyncio.get_running_loop().create_future()
        door = self._doors.get(scan.organization_id)
        if door is None:
            door = self._doors[scan.organization_id] = _Door(scan.organization_id)
            task = asyncio.create_task(self._serve(door), name=f"door {scan.organization_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if len(door.waiting) >= WAITING_MAX:
            raise DoorBusy(retry_after_seconds=1)
        door.waiting.append((asked, answer))
        return await answer

    async def close(self) -> None:
        """Wait until those that wait have their answers."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

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
                known = self._keys[place] = key.public_key
        return believe(unread, known)

    async def _serve(self, door: _Door) -> None:
        # The queue is checked and the door closed without an await between, else a wake-up could be lost.
        while door.waiting:
            batch = [door.waiting.popleft() for _ in range(min(BATCH_MAX, len(door.waiting)))]
            if patient := [one for one in batch if not one[1].done()]:
                await self._judge(door.organization_id, patient)
        del self._doors[door.organization_id]

    async def _judge(self, organization_id: UUID, batch: Sequence[tuple[Asked, asyncio.Future[ScanAnswer]]]) -> None:
        """Judge a batch; if that fails, each by itself, so that a bad one fails alone."""
        try:
            async with transaction(self._pool, organization_id) as conn:
                answers = await scan_batch(conn, self._make_id, organization_id, [asked for asked, _ in batch])
        except Exception as error:  # noqa: BLE001 (handed to the one who asked)
            if len(batch) > 1:
                for one in batch:
                    await self._judge(organization_id, [one])
                return
            _settle(batch[0][1], error)
            return
        unanswered: list[tuple[Asked, asyncio.Future[ScanAnswer]]] = []
        for one, answer in zip(batch, answers, strict=True):
            if answer is None:
                unanswered.append(one)
            else:
                _settle(one[1], answer)
        if unanswered:
            await self._judge(organization_id, unanswered)


def _settle(future: asyncio.Future[ScanAnswer], answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, ScanAnswer):
        future.set_result(answer)
    else:
        future.set_exception(answer)
