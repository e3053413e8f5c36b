"""Scanning a ticket: the signature first, then the log, in which one line for an entry decides who came first."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fullhouse.admission.rules import Outcome, Scan, Verdict, refuse_unread
from fullhouse.admission.scan_batch import Asked, ScanAnswer, scan_batch
from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import asking
from fullhouse.infra.outbox import request_id
from fullhouse.infra.postgres import Connection
from fullhouse.infra.tracing import traceparent
from fullhouse.tickets.code import CodeClaims, ForgedCode, MalformedCode, TicketClaims, read_code, verify_code
from fullhouse.tickets.queries import load_ticket_key


async def scan_ticket(conn: Connection, make_id: MakeId, scan: Scan) -> ScanAnswer:
    """Judge a single scan as ``scan_batch`` does. Raises ``ScanIdReused`` and ``DoorBusy``."""
    unread = read_scan(scan)
    if isinstance(unread, Verdict):
        asked = ask(scan, unread)
    else:
        key = await load_ticket_key(conn, scan.organization_id, unread.key_id)
        asked = ask(scan, believe(unread, key.public_key if key else None))
    answer = None
    while answer is None:
        [answer] = await scan_batch(conn, make_id, scan.organization_id, [asked])
    if not isinstance(answer, ScanAnswer):
        raise answer
    return answer


def read_scan(scan: Scan) -> CodeClaims | Verdict:
    """Read a code, of which nothing is believed yet; or judge a text that is none."""
    try:
        return read_code(scan.code)
    except MalformedCode:
        return refuse_unread(Outcome.UNKNOWN)


def believe(unread: CodeClaims, key: bytes | Ed25519PrivateKey | None) -> TicketClaims | Verdict:
    """Believe a code whose signature by the scanner's own organization is found valid."""
    if key is None:
        return refuse_unread(Outcome.FORGED)
    try:
        return verify_code(unread, key)
    except ForgedCode:
        return refuse_unread(Outcome.FORGED)


def ask(scan: Scan, claims: TicketClaims | Verdict) -> Asked:
    """Note for whom this task scans, and for which request."""
    return Asked(scan, claims, asking.get(), request_id.get(), traceparent())
