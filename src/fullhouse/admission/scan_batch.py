"""One batch of scans of an organization: look at the log once, judge each in order of arrival, write once.

Two statements, whatever the size of the batch. What opens the door, the messages of it and the audit entries of all are
one statement, so that nothing of a batch is recorded or all of it, with a transaction around it or without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.admission.messages import TicketAdmitted
from fullhouse.admission.queries import AtTheDoor, ScanLine, Wanted, load_at_the_door
from fullhouse.admission.rules import (
    Admission,
    Direction,
    DoorBusy,
    DoorTicket,
    Scan,
    ScanIdReused,
    Verdict,
    decide,
    next_entry_number,
    opened,
    refuse_missing,
)
from fullhouse.admission.writes import NewAdmission, insert_admissions
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.audit_batch import Deeds, RecordedAct, ToldOf
from fullhouse.infra.audit_log import Act, Asking
from fullhouse.infra.outbox import Told
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.code import TicketClaims

TRIES_MAX = 3


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """What the door is told: the verdict, the ticket if it is genuine, and the entry that it made or found."""

    verdict: Verdict
    ticket: DoorTicket | None = None
    admission: Admission | None = None


@dataclass(slots=True)
class Asked:
    """A scan whose code was read, and who asked for it: its own request, of the many in a batch."""

    scan: Scan
    claims: TicketClaims | Verdict
    """What the code says, if it is genuine; else the verdict on it."""
    asking: Asking
    request_id: str | None
    traceparent: str | None
    lost: int = 0
    """How often somebody was faster."""


Answer = ScanAnswer | ScanIdReused | DoorBusy


async def scan_batch(
    conn: Connection, make_id: MakeId, organization_id: UUID, asked: Sequence[Asked]
) -> list[Answer | None]:
    """Judge scans of one organization in order, and record those that open the door; announce ``ticket.admitted``.

    The audit log hears of every scan but a repeat. A scan that was recorded is answered as the first time when its
    ``scan_id`` comes again, and recorded once; ``ScanIdReused`` if it comes with another ticket or direction. A refusal
    records no admission, so the same scan is judged anew. None for those that hang on what was recorded for others of
    the batch, and those before whom somebody was faster: they are to be judged after this one is committed.
    ``DoorBusy`` for whom that happened time after time.
    """
    wanted = [
        Wanted(place, one.claims.ticket_id, one.scan.scan_id)
        for place, one in enumerate(asked)
        if isinstance(one.claims, TicketClaims)
    ]
    batch = _Batch(make_id, asked, await load_at_the_door(conn, organization_id, wanted) if wanted else {})
    for place in range(len(asked)):
        batch.judge(place)
    if batch.lines or batch.acts:
        deeds = Deeds(batch.told, batch.acts)
        recorded = await insert_admissions(conn, make_id, organization_id, [*batch.lines.values()], deeds)
        for place, line in batch.lines.items():
            if line.admission_id not in recorded:
                batch.lose(place)
    return batch.answers


class _Batch:
    """Scans by their places in the batch, what the log says of their tickets, and what comes of them."""

    def __init__(self, make_id: MakeId, asked: Sequence[Asked], door: dict[int, AtTheDoor]) -> None:
        self._make_id = make_id
        self._asked = asked
        self._door = door
        self._units: set[UUID] = set()
        self._scan_ids: set[str] = set()
        self.answers: list[Answer | None] = [None] * len(asked)
        self.lines: dict[int, NewAdmission] = {}
        self.told: list[ToldOf] = []
        self.acts: list[RecordedAct] = []

    def judge(self, place: int) -> None:
        """Answer a scan, unless it hangs on one before it that opens the door."""
        one = self._asked[place]
        found = self._find(place)
        if isinstance(found, Verdict):
            self._answer(place, ScanAnswer(found))
        elif found.ticket.unit_id in self._units or one.scan.scan_id in self._scan_ids:
            return
        elif found.line is not None:
            self.answers[place] = _first_answer(one.scan, found.ticket, found.line)
        elif (verdict := decide(one.scan, found.ticket, found.now)).opens:
            self._open(place, verdict, found.ticket, found.now)
        else:
            self._answer(place, ScanAnswer(verdict, found.ticket, found.ticket.latest))

    def lose(self, place: int) -> None:
        """Take back the answer to a scan before which somebody was faster."""
        one = self._asked[place]
        one.lost += 1
        self.answers[place] = DoorBusy(retry_after_seconds=1) if one.lost >= TRIES_MAX else None

    def _find(self, place: int) -> AtTheDoor | Verdict:
        claims = self._asked[place].claims
        if isinstance(claims, Verdict):
            return claims
        found = self._door.get(place)
        return refuse_missing() if found is None or found.ticket.generation != claims.generation else found

    def _open(self, place: int, verdict: Verdict, ticket: DoorTicket, now: datetime) -> None:
        one = self._asked[place]
        scan = one.scan
        number = next_entry_number(scan.direction, ticket.latest)
        line = self.lines[place] = NewAdmission(self._make_id(), scan, ticket, number, now)
        self._units.add(ticket.unit_id)
        if scan.scan_id is not None:
            self._scan_ids.add(scan.scan_id)
        admission = Admission(number, frozenset({scan.direction}), scan.gate, scan.device, now)
        self._answer(place, ScanAnswer(verdict, ticket, admission), line.admission_id)
        if scan.direction is Direction.IN:
            told = Told(_admitted(scan, ticket, admission), one.request_id, one.traceparent)
            self.told.append(ToldOf(line.admission_id, told))

    def _answer(self, place: int, answer: ScanAnswer, needs: UUID | None = None) -> None:
        one = self._asked[place]
        self.answers[place] = answer
        self.acts.append(RecordedAct(one.asking, one.request_id, _act(one.scan, answer), needs))


def _act(scan: Scan, answer: ScanAnswer) -> Act:
    """Tell of a scan: of which ticket, and what it came to. A code that is not genuine names no ticket."""
    outcome: dict[str, Json] = {"outcome": answer.verdict.outcome.value, "direction": scan.direction.value}
    if answer.ticket is None:
        return Act("ticket.scan", "organization", scan.organization_id, outcome)
    of_ticket: dict[str, Json] = {"session_id": str(answer.ticket.session_id), "gate": scan.gate}
    return Act("ticket.scan", "ticket", answer.ticket.ticket_id, outcome | of_ticket)


def _first_answer(scan: Scan, ticket: DoorTicket, line: ScanLine) -> Answer:
    if line.ticket_id != ticket.ticket_id or line.direction is not scan.direction:
        return ScanIdReused(scan_id=scan.scan_id)
    return ScanAnswer(opened(scan.direction), ticket, line.admission)


def _admitted(scan: Scan, ticket: DoorTicket, admission: Admission) -> TicketAdmitted:
    return TicketAdmitted(
        organization_id=scan.organization_id,
        order_id=ticket.order_id,
        ticket_id=ticket.ticket_id,
        unit_id=ticket.unit_id,
        session_id=ticket.session_id,
        entry_number=admission.entry_number,
        gate=admission.gate,
        recorded_at=admission.recorded_at,
    )
