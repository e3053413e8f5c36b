"""The page of a session: its form, and placing the order that was filled in."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from fullhouse.access.http import public
from fullhouse.catalogue.api.asked_by import BoardDep, EventBoardDep
from fullhouse.catalogue.event_board import EventBoard
from fullhouse.catalogue.show_availability import AvailabilityBoard
from fullhouse.catalogue.show_event import EventView, SessionView
from fullhouse.core.errors import DomainError
from fullhouse.events.form.rules import Form
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.http_guesses import count_guess
from fullhouse.infra.postgres import connection
from fullhouse.infra.resources import Resources
from fullhouse.pricing.codes import CodeNotValid
from fullhouse.reservations.api import BoxOfficeDep
from fullhouse.reservations.place_reservation import open_code_at
from fullhouse.seating.rules import SeatMap
from fullhouse.web.errors import status_of
from fullhouse.web.pages.form import code_in, nonce_in, read_form
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.origin import check_origin
from fullhouse.web.pages.render import LIVE_POLICY, PRIVATE_HEADERS, render_page
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.asked_fields import asked_rows
from fullhouse.web.pages.shop.buy import Purchase, place_purchase
from fullhouse.web.pages.shop.refusals import Notice, ask_of_tickets, explain_refusal
from fullhouse.web.pages.shop.room import RoomLeft, has_accessible_seats, only_area, places_of, unpack_seats
from fullhouse.web.pages.shop.session_form import Problem, Room, read_order, tickets_of
from fullhouse.web.pages.shop.session_view import entered_accessible, kind_rows, place_rows, session_card

NONCE_BYTES = 18
FORM_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": LIVE_POLICY}
"""Each form is new: one that was kept would place the order of before."""

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@dataclass(frozen=True, slots=True)
class Boards:
    """What this process knows of sessions, and of what is left of them."""

    events: EventBoard
    left: AvailabilityBoard


async def get_boards(events: EventBoardDep, left: BoardDep) -> Boards:
    """Hand a page both boards."""
    return Boards(events, left)


BoardsDep = Annotated[Boards, Depends(get_boards)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A session as it stands, ready to be shown or bought from."""

    event: EventView
    session: SessionView
    room: Room
    has_accessible: bool
    now: datetime
    form: Form


@dataclass(frozen=True, slots=True)
class Filled:
    """What was entered in the form, and what is wrong with it."""

    fields: Mapping[str, str]
    key: str
    problems: Sequence[Problem] = ()
    notice: Notice | None = None
    status: int = 200


@router.get("/sessions/{session_id}")
async def get_session_page(request: Request, session_id: UUID, resources: ResourcesDep, boards: BoardsDep) -> Response:
    """Show what is left of a session, and the form to buy from it."""
    shown = await _load(resources, boards, session_id)
    return _page(request, shown, Filled({}, _nonce(resources)))


@router.post("/sessions/{session_id}/code")
async def post_session_code(request: Request, session_id: UUID, resources: ResourcesDep, boards: BoardsDep) -> Response:
    """Show the form again with what a code does: cheaper prices, and ticket types that it opens. Orders nothing."""
    check_origin(request, resources.public_url)
    fields = await read_form(request)
    shown, notice = await _load_with_code(request, resources, boards, session_id, fields)
    return _page(request, shown, Filled(fields, nonce_in(fields), (), notice, 409 if notice else 200))


@router.post("/sessions/{session_id}")
async def post_session_page(
    request: Request, session_id: UUID, resources: ResourcesDep, boards: BoardsDep, office: BoxOfficeDep
) -> Response:
    """Reserve what was asked for, place the order, and go on to its page. The same form again: the same order."""
    check_origin(request, resources.public_url)
    fields = await read_form(request)
    nonce = nonce_in(fields)
    shown, notice = await _load_with_code(request, resources, boards, session_id, fields)
    if notice is not None:
        return _page(request, shown, Filled(fields, nonce, (), notice, 409))
    speak = speaker_of(request)
    asked = read_order(fields, shown.session, shown.room, shown.form, speak)
    if isinstance(asked, list):
        return _page(request, shown, Filled(fields, nonce, asked, status=422))
    if not asked.is_complete:
        return _page(request, shown, Filled(fields, nonce, notice=ask_of_tickets(speak)))
    code = code_in(fields)
    purchase = Purchase(session_id, asked.items, asked.contact, speak.language, nonce, asked.given, code)
    try:
        path = await place_purchase(resources, office, request.app.state.order_desk, purchase)
    except DomainError as refused:
        boards.events.forget_session(session_id)
        shown = await _load(resources, boards, session_id, None if isinstance(refused, CodeNotValid) else code)
        notice = explain_refusal(speak, refused, shown.session.terms, shown.now)
        if notice is None:
            raise
        # Whatever may still have happened keeps its key; what was refused for good begins anew.
        key = nonce if status_of(refused) == 503 else _nonce(resources)
        return _page(request, shown, Filled(fields, key, (), notice, status_of(refused)))
    return RedirectResponse(path, 303, headers=dict(PRIVATE_HEADERS))


async def _load_with_code(
    request: Request, resources: Resources, boards: Boards, session_id: UUID, fields: Mapping[str, str]
) -> tuple[Shown, Notice | None]:
    """Load a session as the code in the form shows it; as everybody sees it, with a notice, where it is not valid.

    How often it was used is not asked: the same form again hears of the order that it placed.
    """
    code = code_in(fields)
    if code is not None:
        await count_guess(request.scope)
    try:
        return await _load(resources, boards, session_id, code), None
    except CodeNotValid as refused:
        shown = await _load(resources, boards, session_id)
        return shown, explain_refusal(speaker_of(request), refused, shown.session.terms, shown.now)


async def _load(resources: Resources, boards: Boards, session_id: UUID, code: str | None = None) -> Shown:
    found = await boards.events.show_session(session_id)
    if not found.view.is_public:
        raise SessionNotFound
    session, seat_map = found.view.sessions[0], found.seat_map
    if code is not None:
        async with connection(resources.pool, session.terms.organization_id) as conn:
            opened = await open_code_at(conn, session.terms, code, again=True)
        session = session.with_code(opened)
    left = await _room_left(boards.left, session_id) if seat_map is not None else None
    room, accessible = _room(session, seat_map, left), has_accessible_seats(seat_map)
    return Shown(found.view, session, room, accessible, found.now, found.form)


async def _room_left(board: AvailabilityBoard, session_id: UUID) -> RoomLeft:
    answer = json.loads((await board.show_availability(session_id)).body)
    areas = {area["key"]: area["available"] for area in answer["areas"]}
    return RoomLeft(unpack_seats(answer["seats"] or ""), areas)


def _room(session: SessionView, seat_map: SeatMap | None, left: RoomLeft | None) -> Room:
    has_seats = seat_map is not None and seat_map.seat_count > 0
    return Room(places_of(session, seat_map, left), only_area(session, seat_map), has_seats)


def _nonce(resources: Resources) -> str:
    return urlsafe_b64encode(resources.randomness(NONCE_BYTES)).decode()


def _page(request: Request, shown: Shown, filled: Filled) -> Response:
    speak = speaker_of(request)
    session, fields = shown.session, filled.fields
    bad_fields = {problem.field for problem in filled.problems}
    values = {
        "event": shown.event.event,
        "session": session_card(session, shown.now, speak),
        "places": place_rows(shown.room.places, fields, session.terms.currency, speak),
        "has_seats": shown.room.has_seats,
        "kinds": kind_rows(session, fields, bad_fields, speak),
        "has_accessible": shown.has_accessible,
        "accessible_open": entered_accessible(session, fields, filled.problems),
        "asked": asked_rows(shown.form, tickets_of(fields, session), fields, speak),
        "hold_minutes": session.terms.hold_seconds // 60,
        "key": filled.key,
        "name": fields.get("name", ""),
        "email": fields.get("email", ""),
        "code": fields.get("code", ""),
        "is_live": not any(offer.ticket_type.hidden for offer in session.offers),
        "problems": filled.problems,
        "bad_fields": bad_fields,
        "notice": filled.notice,
    }
    return render_page(request, "session.html", values, status=filled.status, headers=FORM_HEADERS)
