"""The page on which an organization gives tickets away: a session, how many of what, to whom, and why."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from fullhouse.access.find_asker import OpenGrant
from fullhouse.catalogue.queries import list_events_of
from fullhouse.core.errors import DomainError, Kind
from fullhouse.core.secrets import derive_key
from fullhouse.events.queries import load_terms, load_terms_of_event
from fullhouse.events.rules import SessionTerms
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.idempotency import Claim, fingerprint
from fullhouse.infra.languages import Translator
from fullhouse.infra.postgres import connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.orders.gift_api import GiveTickets
from fullhouse.orders.give_tickets import Gift, give_tickets, hold_gift, take_back
from fullhouse.orders.rules import OrderExists, check_contact
from fullhouse.organizations.queries import load_organization
from fullhouse.reservations.api import BoxOfficeDep
from fullhouse.reservations.place_reservation import BoxOffice, RepeatedRefusal
from fullhouse.reservations.rules import SessionNotFound
from fullhouse.seating.queries import load_seat_map
from fullhouse.web.pages.account.show import lead_to, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form, visiting_signed_in
from fullhouse.web.pages.form import count_in, nonce_in, uuid_of
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False)

EVENTS_MAX = 50
NONCE_BYTES = 24
_FIELDS = ("email", "name", "reason")

User = Annotated[SignedIn, visiting_signed_in()]


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was refused: what was entered, and why."""

    fields: Mapping[str, str]
    problem: str
    status: int = 422


@router.get("/organizer/{organization_id}/gifts")
async def get_gifts_page(request: Request, organization_id: UUID, user: User, resources: ResourcesDep) -> Response:
    """Choose an event and a session, and then what to give."""
    await OpenGrant(request, user, "order:give").grant_in(organization_id)
    return await _show(request, resources, user, organization_id)


@router.post("/organizer/{organization_id}/gifts")
async def post_gifts_page(
    request: Request, organization_id: UUID, user: User, resources: ResourcesDep, office: BoxOfficeDep
) -> Response:
    """Give tickets away. The same form again gives nothing more."""
    await OpenGrant(request, user, "order:give").grant_in(organization_id)
    fields = await read_own_form(request, user)
    speak = speaker_of(request)
    session_id = uuid_of(fields.get("session", ""))
    async with connection(resources.pool, organization_id) as conn:
        terms = await load_terms(conn, organization_id, session_id) if session_id else None
        map_id = terms.seat_map_id if terms else None
        seat_map = await load_seat_map(conn, organization_id, map_id) if map_id else None
    if terms is None:
        raise SessionNotFound
    gift = read_gift(terms, fields, speak.language, has_seats=bool(seat_map and seat_map.seat_count))
    if gift is None:
        problem = speak.gettext("Please enter whole numbers of tickets, a mail address, and why they are given away.")
        return await _show(request, resources, user, organization_id, Refused(fields, problem))
    path = f"/organizer/{organization_id}/gifts"
    try:
        await _give(resources, office, organization_id, gift, nonce_in(fields))
    except OrderExists:
        return lead_to(f"{path}?given=yes")
    except (DomainError, RepeatedRefusal) as refused:
        error = refused.error if isinstance(refused, RepeatedRefusal) else refused
        if error.kind not in {Kind.CONFLICT, Kind.INVALID}:
            raise
        text = _explain(error, speak)
        return await _show(request, resources, user, organization_id, Refused(fields, text, 409))
    return lead_to(f"{path}?given=yes")


def read_gift(terms: SessionTerms, fields: Mapping[str, str], language: str, *, has_seats: bool) -> Gift | None:
    """Read what is to be given: the best places where there are seats. None for what makes no sense. Pure."""
    items: list[dict[str, object]] = []
    for one in terms.ticket_types:
        count = count_in(fields, f"quantity:{one.ticket_type_id}")
        if count is None:
            return None
        if count:
            how = "best_available" if has_seats else "quantity"
            items.append({"ticket_type_id": str(one.ticket_type_id), how: count})
    try:
        body = GiveTickets.model_validate({"items": items, **{name: fields.get(name, "") for name in _FIELDS}})
        contact = check_contact(body.email, body.name)
    except (ValidationError, DomainError):
        return None
    return Gift(terms.session_id, tuple(item.to_request() for item in body.items), contact, language, body.reason)


async def _give(resources: Resources, office: BoxOffice, organization_id: UUID, gift: Gift, nonce: str) -> None:
    claim = Claim(organization_id, f"gifts page:{gift.session_id}", nonce, fingerprint(nonce))
    placed = await hold_gift(office, gift, claim)
    order_key = derive_key(resources.secret_key, "order")
    try:
        async with transaction(resources.pool, organization_id) as conn:
            await give_tickets(conn, resources.make_id, order_key, organization_id, gift, placed)
    except DomainError as refused:
        await take_back(resources.pool, resources.make_id, placed, refused)
        raise


def _explain(error: DomainError, speak: Translator) -> str:
    if error.code in {"sold_out", "seat_taken"}:
        return speak.gettext("There are not so many places left.")
    if error.code == "limit_per_order":
        return speak.gettext("That is more than one order may have.")
    return speak.gettext("This could not be given away: %(why)s", why=error.detail)


async def _show(
    request: Request, resources: Resources, user: SignedIn, organization_id: UUID, refused: Refused | None = None
) -> Response:
    fields: Mapping[str, str] = refused.fields if refused else request.query_params
    speak = speaker_of(request)
    event_id, session_id = uuid_of(fields.get("event", "")), uuid_of(fields.get("session", ""))
    async with connection(resources.pool, organization_id) as conn:
        organization = await load_organization(conn, organization_id)
        events = await list_events_of(conn, organization_id, None, EVENTS_MAX)
        sessions = await load_terms_of_event(conn, organization_id, event_id) if event_id else []
    if len(sessions) == 1:
        session_id = sessions[0].session_id
    chosen = next((one for one in sessions if one.session_id == session_id), None)
    values = {
        "organization": organization.name if organization else "",
        "path": f"/organizer/{organization_id}/gifts",
        "given": request.query_params.get("given") == "yes",
        "events": [(one.event_id, one.name, one.event_id == event_id) for one in events],
        "event_id": event_id or "",
        "sessions": [(one.session_id, _session_name(one, speak), one.session_id == session_id) for one in sessions],
        "session_id": chosen.session_id if chosen else "",
        "types": [_type_row(one.ticket_type_id, one.name, fields) for one in (chosen.ticket_types if chosen else ())],
        "entered": {name: fields.get(name, "") for name in _FIELDS},
        "key": urlsafe_b64encode(resources.randomness(NONCE_BYTES)).decode(),
        "problem": refused.problem if refused else None,
    }
    answer = show_page(request, "gifts.html", values, user)
    if refused is not None:
        answer.status_code = refused.status
    return answer


def _session_name(terms: SessionTerms, speak: Translator) -> str:
    date = speak.short_date(terms.starts_at, terms.time_zone)
    return f"{date} {speak.time(terms.starts_at, terms.time_zone)} {terms.session_name}".strip()


def _type_row(ticket_type_id: UUID, name: str, fields: Mapping[str, str]) -> tuple[str, str, str]:
    field = f"quantity:{ticket_type_id}"
    return field, name, fields.get(field, "")
