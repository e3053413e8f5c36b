"""Scanning a ticket: the signature first, then the log, in which one line for an entry decides who came first."""

from dataclasses import dataclass

from fullhouse.admission.messages import TicketAdmitted
from fullhouse.admission.queries import AtTheDoor, load_at_the_door
from fullhouse.admission.rules import (
    Admission,
    Direction,
    DoorBusy,
    DoorTicket,
    Outcome,
    Scan,
    ScanIdReused,
    Verdict,
    decide,
    next_entry_number,
    opened,
    refuse_missing,
    refuse_unread,
)
from fullhouse.admission.writes import insert_admission
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.audit_log import Act, append_and_record, record
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.code import ForgedCode, MalformedCode, TicketClaims, read_code, verify_code
from fullhouse.tickets.queries import load_ticket_key

TRIES_MAX = 3


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """What the door is told: the verdict, the ticket if it is genuine, and the entry that it made or found."""

    verdict: Verdict
    ticket: DoorTicket | None = None
    admission: Admission | None = None


async def scan_ticket(conn: Connection, make_id: MakeId, scan: Scan) -> ScanAnswer:
    """Judge a scan and record it if it opens the door; announce ``ticket.admitted``. Four statements, or five.

    The audit log hears of every scan but a repeat: of one that opens in the statement of its announcement.

    A scan that was recorded is answered as the first time when its ``scan_id`` comes again, and recorded once;
    raises ``ScanIdReused`` if it comes with another ticket or direction. A refusal records no admission, so the same
    scan is judged anew. Whoever loses a race for an entry looks again; raises ``DoorBusy`` if that happens time
    after time.
    """
    claims = await _read_genuine(conn, scan)
    if isinstance(claims, Verdict):
        return await _refuse(conn, scan, ScanAnswer(claims))
    for _ in range(TRIES_MAX):
        found = await load_at_the_door(conn, scan.organization_id, claims.ticket_id, scan.scan_id)
        if found is None or found.ticket.generation != claims.generation:
            return await _refuse(conn, scan, ScanAnswer(refuse_missing()))
        answer = await _judge(conn, make_id, scan, found)
        if answer is not None:
            return answer
    raise DoorBusy(retry_after_seconds=1)


async def _read_genuine(conn: Connection, scan: Scan) -> TicketClaims | Verdict:
    """Believe nothing of a code before its signature by the scanner's own organization is found valid."""
    try:
        claims = read_code(scan.code)
    except MalformedCode:
        return refuse_unread(Outcome.UNKNOWN)
    key = await load_ticket_key(conn, scan.organization_id, claims.key_id)
    if key is None:
        return refuse_unread(Outcome.FORGED)
    try:
        return verify_code(claims, key.public_key)
    except ForgedCode:
        return refuse_unread(Outcome.FORGED)


async def _judge(conn: Connection, make_id: MakeId, scan: Scan, found: AtTheDoor) -> ScanAnswer | None:
    """Answer a scan; None if somebody was faster: at another gate, or with this very scan."""
    if found.repeated is not None:
        return _first_answer(scan, found)
    ticket = found.ticket
    verdict = decide(scan, ticket, found.now)
    if not verdict.opens:
        return await _refuse(conn, scan, ScanAnswer(verdict, ticket, ticket.latest))
    number = next_entry_number(scan.direction, ticket.latest)
    recorded_at = await insert_admission(conn, make_id(), scan, ticket, number)
    if recorded_at is None:
        return None
    admission = Admission(number, frozenset({scan.direction}), scan.gate, scan.device, recorded_at)
    answer = ScanAnswer(verdict, ticket, admission)
    facts = [_admitted(scan, ticket, admission)] if scan.direction is Direction.IN else []
    await append_and_record(conn, make_id, facts, scan.organization_id, _act(scan, answer))
    return answer


async def _refuse(conn: Connection, scan: Scan, answer: ScanAnswer) -> ScanAnswer:
    await record(conn, scan.organization_id, _act(scan, answer))
    return answer


def _act(scan: Scan, answer: ScanAnswer) -> Act:
    """Tell of a scan: of which ticket, and what it came to. A code that is not genuine names no ticket."""
    outcome: dict[str, Json] = {"outcome": answer.verdict.outcome.value, "direction": scan.direction.value}
    if answer.ticket is None:
        return Act("ticket.scan", "organization", scan.organization_id, outcome)
    of_ticket: dict[str, Json] = {"session_id": str(answer.ticket.session_id), "gate": scan.gate}
    return Act("ticket.scan", "ticket", answer.ticket.ticket_id, outcome | of_ticket)


def _first_answer(scan: Scan, found: AtTheDoor) -> ScanAnswer:
    line = found.repeated
    if line is None or line["ticket_id"] != found.ticket.ticket_id or line["direction"] != scan.direction.value:
        raise ScanIdReused(scan_id=scan.scan_id)
    admission = Admission(
        line["entry_number"], frozenset({scan.direction}), line["gate"], line["device"], line["recorded_at"]
    )
    return ScanAnswer(opened(scan.direction), found.ticket, admission)


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
