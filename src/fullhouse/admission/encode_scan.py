"""The answer to a scan, written as bytes.

The models of the API say the same for the document, and a test compares the two.
"""

from functools import lru_cache
from json.encoder import encode_basestring

from fullhouse.admission.rules import CHECKS, Admission, Direction, DoorTicket, Verdict
from fullhouse.admission.scan_batch import ScanAnswer
from fullhouse.core.clock import instant_text
from fullhouse.tickets.rules import reference_of

_WORDS = {True: "true", False: "false", None: "null"}


def encode_scan(direction: Direction, answer: ScanAnswer) -> bytes:
    """Write what the person at the door is told."""
    verdict, ticket, admission = answer.verdict, answer.ticket, answer.admission
    return (
        f'{{"outcome":"{verdict.outcome.value}","direction":"{direction.value}",'
        f'"ticket":{"null" if ticket is None else _ticket(ticket)},'
        f'"admission":{"null" if admission is None else _admission(admission)},"checks":{_checks(verdict)}}}'
    ).encode()


def _ticket(ticket: DoorTicket) -> str:
    return (
        f'{{"id":"{ticket.ticket_id}","reference":{_text(reference_of(ticket.ticket_id))},'
        f'"status":"{ticket.status.value}","generation":{ticket.generation},"order_id":"{ticket.order_id}",'
        f'"unit_id":"{ticket.unit_id}","event_id":"{ticket.event_id}","event":{_text(ticket.event_name)},'
        f'"session_id":"{ticket.session_id}","session":{_text(ticket.session_name)},'
        f'"starts_at":"{instant_text(ticket.starts_at)}","ticket_type":{_text(ticket.ticket_type)},'
        f'"price_category":{_text(ticket.price_category)},"area":{_text(ticket.area)},"seat":{_text(ticket.seat)}}}'
    )


def _admission(admission: Admission) -> str:
    return (
        f'{{"entry_number":{admission.entry_number},"is_inside":{_WORDS[admission.is_inside]},'
        f'"gate":{_text(admission.gate)},"device":{_text(admission.device)},'
        f'"recorded_at":"{instant_text(admission.recorded_at)}"}}'
    )


def _checks(verdict: Verdict) -> str:
    return _encode_checks(tuple([verdict.checks[name] for name in CHECKS]))


@lru_cache(maxsize=1_000)
def _encode_checks(found: tuple[bool | None, ...]) -> str:
    """Write what each check found; there are not many ways."""
    return "{" + ",".join(f'"{name}":{_WORDS[one]}' for name, one in zip(CHECKS, found, strict=True)) + "}"


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)
