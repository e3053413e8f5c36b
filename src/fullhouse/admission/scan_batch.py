"""One batch of scans of an organization: look at the log once, judge each in order of arrival, write once.

A constant number of statements, whatever the size of the batch, as long as nobody is faster elsewhere. Everything in
the caller's transaction, which records at most once: in one order of units, so that of two batches that meet one waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.admission.messages import TicketAdmitted
from fullhouse.admission.queries import AtTheDoor, ScanLine, load_at_the_door
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
from fullhouse.infra.audit_log import Act, Asking, RecordedAct, record_many
from fullhouse.infra.outbox import Told, append_many
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.code import TicketClaims

TRIES_MAX = 3


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """What the door is told: the verdict, the ticket if it is genuine, and the entry that it made or found."""

    verdict: Verdict
    ticket: DoorTicket | None = None
    admission: Admission | None = None


class Asked(NamedTuple):
    """A scan whose code was read, and who asked for it: its own request, of the many in a batch."""

    scan: Scan
    claims: TicketClaims | Verdict
    """What the code says, if it is genuine; else the verdict on it."""
    asking: Asking
    request_id: str | None
    traceparent: str | None


Answer = ScanAnswer | ScanIdReused | DoorBusy


class _Opening(NamedTuple):
    place: int
    verdict: Verdict
    ticket: DoorTicket
    line: NewAdmission


async def scan_batch(
    conn: Connection, make_id: MakeId, organization_id: UUID, asked: Sequence[Asked]
) -> list[Answer | None]:
    """Judge scans of one organization in order, and record those that open the door; announce ``ticket.admitted``.

    The audit log hears of every scan but a repeat. A scan that was recorded is answered as the first time when its
    ``scan_id`` comes again, and recorded once; ``ScanIdReused`` if it comes with another ticket or direction. A refusal
    records no admission, so the same scan is judged anew. Whoever loses a race for an entry looks again; ``DoorBusy``
    if that happens time after time. None for those that hang on what was recorded for others of the batch, or lost to
    somebody while these were recorded: they are to be judged in a transaction of their own, after this one.
    """
    batch = _Batch(make_id, organization_id, asked)
    places = list(range(len(asked)))
    tries = [0] * len(asked)
    await batch.look(conn, places)
    while places:
        openings, later = batch.judge(places)
        lost = await batch.open(conn, openings)
        for place in lost:
            tries[place] += 1
            if tries[place] == TRIES_MAX:
                batch.answers[place] = DoorBusy(retry_after_seconds=1)
        if len(lost) < len(openings):
            break
        places = sorted(place for place in (*lost, *later) if place not in batch.answers)
        if lost and places:
            await batch.look(conn, places)
    await append_many(conn, make_id, batch.told)
    await record_many(conn, organization_id, batch.acts)
    return [batch.answers.get(place) for place in range(len(asked))]


class _Batch:
    """Scans by their places in the batch, what the log says of their tickets, and what comes of them."""

    def __init__(self, make_id: MakeId, organization_id: UUID, asked: Sequence[Asked]) -> None:
        self._make_id = make_id
        self._organization_id = organization_id
        self._asked = asked
        self._door = AtTheDoor({}, {}, None)
        self.answers: dict[int, Answer] = {}
        self.told: list[Told] = []
        self.acts: list[RecordedAct] = []

    async def look(self, conn: Connection, places: Sequence[int]) -> None:
        """Read the tickets of some scans, and what these scans wrote when they were sent before."""
        asked = [self._asked[place] for place in places]
        ticket_ids = {one.claims.ticket_id for one in asked if not isinstance(one.claims, Verdict)}
        scan_ids = {one.scan.scan_id for one in asked if one.scan.scan_id is not None}
        self._door = await load_at_the_door(conn, self._organization_id, sorted(ticket_ids), sorted(scan_ids))

    def judge(self, places: Sequence[int]) -> tuple[list[_Opening], list[int]]:
        """Answer scans in order; return those that open the door, and those that hang on one of these."""
        openings: list[_Opening] = []
        later: list[int] = []
        units: set[UUID] = set()
        scan_ids: set[str] = set()
        for place in places:
            scan = self._asked[place].scan
            ticket = self._ticket(place)
            if isinstance(ticket, Verdict):
                self._answer(place, ScanAnswer(ticket))
            elif ticket.unit_id in units or scan.scan_id in scan_ids:
                later.append(place)
            elif (repeated := self._door.lines.get(scan.scan_id or "")) is not None:
                self.answers[place] = _first_answer(scan, ticket, repeated)
            elif not (verdict := decide(scan, ticket, self._now)).opens:
                self._answer(place, ScanAnswer(verdict, ticket, ticket.latest))
            else:
                number = next_entry_number(scan.direction, ticket.latest)
                line = NewAdmission(self._make_id(), scan, ticket, number)
                openings.append(_Opening(place, verdict, ticket, line))
                units.add(ticket.unit_id)
                scan_ids |= {scan.scan_id} if scan.scan_id else set()
        return openings, later

    async def open(self, conn: Connection, openings: Sequence[_Opening]) -> list[int]:
        """Record those that open the door; return the places of those before whom somebody was faster."""
        if not openings:
            return []
        recorded = await insert_admissions(conn, self._organization_id, [one.line for one in openings])
        lost: list[int] = []
        for one in openings:
            recorded_at = recorded.get(one.line.admission_id)
            if recorded_at is None:
                lost.append(one.place)
                continue
            scan = one.line.scan
            number = one.line.entry_number
            admission = Admission(number, frozenset({scan.direction}), scan.gate, scan.device, recorded_at)
            self._door.remember(one.ticket, scan, admission)
            self._answer(one.place, ScanAnswer(one.verdict, one.ticket, admission))
            if scan.direction is Direction.IN:
                asked = self._asked[one.place]
                self.told.append(Told(_admitted(scan, one.ticket, admission), asked.request_id, asked.traceparent))
        return lost

    @property
    def _now(self) -> datetime:
        assert self._door.now is not None  # noqa: S101 (a ticket was found in the same statement)
        return self._door.now

    def _ticket(self, place: int) -> DoorTicket | Verdict:
        claims = self._asked[place].claims
        if isinstance(claims, Verdict):
            return claims
        ticket = self._door.tickets.get(claims.ticket_id)
        return refuse_missing() if ticket is None or ticket.generation != claims.generation else ticket

    def _answer(self, place: int, answer: ScanAnswer) -> None:
        one = self._asked[place]
        self.answers[place] = answer
        self.acts.append(RecordedAct(one.asking, one.request_id, _act(one.scan, answer)))


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
