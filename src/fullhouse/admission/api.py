"""The route of the door."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import OpenGrant, find_open_grant, grant_at_a_glance, requires_where
from fullhouse.access.policies.ticket import find_post
from fullhouse.access.rules import Grant
from fullhouse.admission.doors import Doors
from fullhouse.admission.encode_scan import encode_scan
from fullhouse.admission.rules import Direction, Outcome, Scan
from fullhouse.admission.scan_batch import ScanAnswer
from fullhouse.core.errors import DomainError
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot import app_state, hot_route, send_answer
from fullhouse.infra.hot_reading import BodyReader, must_be_valid, read_raw
from fullhouse.infra.http import ApiModel, ShortName
from fullhouse.tickets.code import MalformedCode, read_code
from fullhouse.tickets.rules import TicketStatus

router = APIRouter(tags=["door"])

CODE_LENGTH_MAX = 1_000

ScannedText = Annotated[str, StringConstraints(min_length=1, max_length=CODE_LENGTH_MAX)]
ScanId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,100}$")]


class ScanBody(ApiModel):
    """A code presented at a gate, as the scanner read it."""

    code: ScannedText
    session_id: UUID | None = Field(None, description="What the gate is open for. Without it, the ticket's session.")
    gate: ShortName | None = None
    direction: Literal["in", "out"] = "in"
    device: ShortName | None = None
    scan_id: ScanId | None = Field(
        None, description="Names this scan: sent again, it gets its first answer and is recorded once."
    )


class ScannedTicket(ApiModel):
    """The ticket behind a genuine code."""

    id: UUID
    reference: str
    status: TicketStatus
    generation: int
    order_id: UUID
    unit_id: UUID
    event_id: UUID
    event: str
    session_id: UUID
    session: str
    starts_at: datetime
    ticket_type: str
    price_category: str
    area: str | None
    seat: str | None


class AdmissionAnswer(ApiModel):
    """The entry that this scan recorded, or the latest that was found."""

    entry_number: int
    is_inside: bool
    gate: str | None
    device: str | None
    recorded_at: datetime


class ChecksAnswer(ApiModel):
    """Whether each check held; null where it was not looked at. The first that failed is the outcome."""

    signature: bool | None
    ticket: bool | None
    status: bool | None
    session: bool | None
    gate: bool | None
    time: bool | None
    entry: bool | None


class ScanResult(ApiModel):
    """What the person at the door is told."""

    outcome: Outcome
    direction: Literal["in", "out"]
    ticket: ScannedTicket | None
    admission: AdmissionAnswer | None
    checks: ChecksAnswer


_body = BodyReader(ScanBody)


def validate_at_a_glance(asked: Asked) -> bool:
    """Judge what an API key scans: the answer is written as soon as the batch has committed."""
    body = _body.read_plain(asked.fields, asked.body)
    if body is None:
        return False
    grant = grant_at_a_glance(asked, "ticket:scan")
    if grant is None:
        return False
    scan = _scan_by(grant, body)

    def heard(answer: ScanAnswer | Exception) -> None:
        if isinstance(answer, ScanAnswer):
            _answer(asked, scan.direction, answer)
        elif isinstance(answer, DomainError):
            asked.refuse(answer)
        else:
            asked.fail(answer)

    doors: Doors = asked.state.doors
    return doors.ask(scan, heard)


def _answer(asked: Asked, direction: Direction, answer: ScanAnswer) -> None:
    try:
        asked.answer(200, encode_scan(direction, answer))
    except Exception as error:  # noqa: BLE001 (the batch goes on with the others)
        asked.fail(error)


@hot_route(
    router,
    "POST /tickets/validate",
    takes={"body": ScanBody, "scanner": Annotated[OpenGrant, requires_where("ticket:scan")]},
    at_once=True,
    glance=validate_at_a_glance,
    response_model=ScanResult,
    summary="Scan a ticket at the door",
)
async def validate_ticket(scope: Scope, receive: Receive, send: Send) -> None:
    """Judge a code, and record the admission if it opens the door. Every judgement is a 200; see ``outcome``."""
    read = _body.read(scope, await read_raw(receive))
    scanner = await find_open_grant(scope, "ticket:scan")
    body = must_be_valid(read)
    scan = _scan_by(await scanner.grant_at(body.session_id or _session_in(_code_in(body))), body)
    doors: Doors = app_state(scope).doors
    answer = await doors.scan(scan)
    await send_answer(send, 200, encode_scan(scan.direction, answer))


def _code_in(body: ScanBody) -> str:
    return body.code.strip()  # hand scanners end what they type with a line break


def _scan_by(grant: Grant, body: ScanBody) -> Scan:
    """Say what is scanned where, and by whom. Raises ``OutsideBinding``."""
    post = find_post(grant.actor, body.session_id, body.gate)
    return Scan(
        organization_id=grant.organization_id,
        code=_code_in(body),
        direction=Direction(body.direction),
        session_id=body.session_id,
        session_ids=post.session_ids,
        gate=post.gate,
        device=body.device,
        scan_id=body.scan_id,
        actor_id=grant.actor.actor_id,
    )


def _session_in(code: str) -> UUID | None:
    """Read which session a code is for. It is not believed yet: it says in whose name to look at the code."""
    try:
        return read_code(code).unverified.session_id
    except MalformedCode:
        return None
