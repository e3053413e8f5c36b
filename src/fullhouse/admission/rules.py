"""Whether a scanned code opens the door: every check, and the outcome that follows from them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import Invalid, Unavailable
from fullhouse.tickets.rules import TicketStatus


class Outcome(StrEnum):
    """What the person at the door is told."""

    ADMITTED = "admitted"
    LEFT = "left"
    ALREADY_ADMITTED = "already_admitted"
    NOT_INSIDE = "not_inside"
    VOID = "void"
    REPLACED = "replaced"
    WRONG_SESSION = "wrong_session"
    WRONG_GATE = "wrong_gate"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    UNKNOWN = "unknown"
    FORGED = "forged"


class Direction(StrEnum):
    """Which way somebody walks. ``undone`` takes back an entry that was a mistake."""

    IN = "in"
    OUT = "out"
    UNDONE = "undone"


class ScanIdReused(Invalid):
    """A scan id names one scan for ever; this one was used for another ticket or direction."""

    code = "scan_id_reused"
    title = "This scan_id was used for another scan."


class DoorBusy(Unavailable):
    """Others kept changing the log of this unit while it was scanned."""

    code = "door_busy"
    title = "This ticket is being scanned elsewhere; scan it again."


class Scan(NamedTuple):
    """A code presented at a gate. The organization is that of who scans."""

    organization_id: UUID
    code: str
    direction: Direction = Direction.IN
    session_id: UUID | None = None
    """The session that the gate is open for; without it, that of the ticket."""
    session_ids: frozenset[UUID] = frozenset()
    """The sessions that the scanner is bound to; none: any."""
    gate: str | None = None
    device: str | None = None
    scan_id: str | None = None
    """Names this scan, so that it may be sent again; made if it is missing."""
    actor_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The latest entry in the log of a unit: its number, which directions it has, and where it began."""

    entry_number: int
    directions: frozenset[Direction]
    gate: str | None
    device: str | None
    recorded_at: datetime

    @property
    def is_inside(self) -> bool:
        """Whether who entered is still inside: neither left, nor was the entry undone."""
        return self.directions == frozenset({Direction.IN})


class DoorTicket(NamedTuple):
    """A ticket as the door sees it: what it is, what it may, and what the log says of its unit."""

    ticket_id: UUID
    event_id: UUID
    session_id: UUID
    order_id: UUID
    unit_id: UUID
    generation: int
    status: TicketStatus
    event_name: str
    session_name: str
    starts_at: datetime
    ticket_type: str
    price_category: str
    area: str | None
    seat: str | None
    entry_from: datetime | None
    entry_until: datetime | None
    gates: Sequence[str]
    latest: Admission | None


CHECKS = ("signature", "ticket", "status", "session", "gate", "time", "entry")
"""The names of the checks, in the order in which a failed one decides."""

Checks = Mapping[str, bool | None]
"""For each name whether it held; None where it was not looked at."""

NO_CHECKS: Checks = dict.fromkeys(CHECKS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and the checks that led to it."""

    outcome: Outcome
    checks: Checks

    @property
    def opens(self) -> bool:
        """Whether the log gets a line."""
        return self.outcome in {Outcome.ADMITTED, Outcome.LEFT}


def refuse_unread(outcome: Outcome) -> Verdict:
    """Judge a text that is not believed: none of our codes (unknown), or one that we did not sign (forged)."""
    return Verdict(outcome, {**NO_CHECKS, "signature": False if outcome is Outcome.FORGED else None})


def refuse_missing() -> Verdict:
    """Judge a code that we signed, of a ticket that is not there."""
    return Verdict(Outcome.UNKNOWN, {**NO_CHECKS, "signature": True, "ticket": False})


def opened(direction: Direction) -> Verdict:
    """Return the verdict on a scan that opened the door: of one to go out, less is asked."""
    if direction is Direction.IN:
        return Verdict(Outcome.ADMITTED, dict.fromkeys(CHECKS, True))
    return Verdict(Outcome.LEFT, {**NO_CHECKS, "signature": True, "ticket": True, "entry": True})


def decide(scan: Scan, ticket: DoorTicket, now: datetime) -> Verdict:
    """Judge a scan of a genuine code. The first check that fails, in the order of ``CHECKS``, is the outcome."""
    if scan.direction is Direction.OUT:
        return _decide_out(ticket)
    failures = {
        "status": _judge_status(ticket),
        "session": _judge_session(scan, ticket),
        "gate": _judge_gate(scan, ticket),
        "time": _judge_time(ticket, now),
        "entry": Outcome.ALREADY_ADMITTED if ticket.latest is not None and ticket.latest.is_inside else None,
    }
    checks = {"signature": True, "ticket": True, **{name: failed is None for name, failed in failures.items()}}
    first = next((failed for failed in failures.values() if failed is not None), Outcome.ADMITTED)
    return Verdict(first, checks)


def next_entry_number(direction: Direction, latest: Admission | None) -> int:
    """Return the number of the entry that a line belongs to: a new one to go in, the latest to go out."""
    if direction is Direction.IN:
        return 1 if latest is None else latest.entry_number + 1
    return 1 if latest is None else latest.entry_number


def _decide_out(ticket: DoorTicket) -> Verdict:
    """Whoever is inside may leave: at any gate, at any time, with a ticket that was voided meanwhile."""
    is_inside = ticket.latest is not None and ticket.latest.is_inside
    if is_inside:
        return opened(Direction.OUT)
    return Verdict(Outcome.NOT_INSIDE, {**NO_CHECKS, "signature": True, "ticket": True, "entry": False})


def _judge_status(ticket: DoorTicket) -> Outcome | None:
    return {TicketStatus.VOID: Outcome.VOID, TicketStatus.REPLACED: Outcome.REPLACED}.get(ticket.status)


def _judge_session(scan: Scan, ticket: DoorTicket) -> Outcome | None:
    """Compare the ticket's session with the one named, and with those that the scanner is bound to."""
    if scan.session_id not in {None, ticket.session_id}:
        return Outcome.WRONG_SESSION
    if scan.session_ids and ticket.session_id not in scan.session_ids:
        return Outcome.WRONG_SESSION
    return None


def _judge_gate(scan: Scan, ticket: DoorTicket) -> Outcome | None:
    """Compare gates, where both name some: a session without gates lets in at any."""
    if scan.gate is None or not ticket.gates or scan.gate in ticket.gates:
        return None
    return Outcome.WRONG_GATE


def _judge_time(ticket: DoorTicket, now: datetime) -> Outcome | None:
    if ticket.entry_from is not None and now < ticket.entry_from:
        return Outcome.TOO_EARLY
    if ticket.entry_until is not None and now > ticket.entry_until:
        return Outcome.TOO_LATE
    return None
