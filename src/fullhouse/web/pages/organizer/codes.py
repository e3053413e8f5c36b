"""The page of an organization's codes: which there are, how often they are used, and a form for another."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from fullhouse.access.find_asker import OpenGrant
from fullhouse.catalogue.api.codes import CodeBody
from fullhouse.catalogue.queries import list_events_of
from fullhouse.events.queries import load_terms_of_event
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.infra.http import CursorMalformed, ResourcesDep, decode_cursor, encode_cursor
from fullhouse.infra.languages import Translator
from fullhouse.infra.postgres import connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.organizations.queries import load_organization
from fullhouse.pricing.code_queries import list_codes, load_code
from fullhouse.pricing.codes import Code, CodeExists, CodeNotFound
from fullhouse.pricing.set_code import change_code, create_code
from fullhouse.web.pages.account.show import lead_to, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form, visiting_signed_in
from fullhouse.web.pages.form import uuid_of
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.organizer.code_form import FIELDS, event_choices, read_code, type_choices

router = APIRouter(route_class=AccountRoute, include_in_schema=False)

PAGE_COUNT = 50
_LIST = "codes_page"
EVENTS_MAX = 50

User = Annotated[SignedIn, visiting_signed_in()]


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code as it is listed."""

    code_id: UUID
    code: str
    note: str
    off: str
    used: str
    until: str
    enabled: bool


@router.get("/organizer/{organization_id}/codes")
async def get_codes_page(request: Request, organization_id: UUID, user: User, resources: ResourcesDep) -> Response:
    """List the codes of an organization."""
    await OpenGrant(request, user, "price:write").grant_in(organization_id)
    return await _show(request, resources, user, organization_id)


@router.post("/organizer/{organization_id}/codes")
async def post_codes_page(request: Request, organization_id: UUID, user: User, resources: ResourcesDep) -> Response:
    """Make a code: what it takes off, of what, when, and how often."""
    await OpenGrant(request, user, "price:write").grant_in(organization_id)
    fields = await read_own_form(request, user)
    speak = speaker_of(request)
    try:
        # As the API reads it: JSON, in which an instant and an id are texts.
        body = CodeBody.model_validate_json(json.dumps(read_code(fields)))
    except ValidationError:
        return await _show(request, resources, user, organization_id, (fields, _what_is_wrong(speak)))
    try:
        async with transaction(resources.pool, organization_id) as conn:
            await create_code(conn, resources.make_id, organization_id, body.terms())
    except CodeExists:
        problem = speak.gettext("There is a code of these letters already.")
        return await _show(request, resources, user, organization_id, (fields, problem))
    return lead_to(request.url.path)


@router.post("/organizer/{organization_id}/codes/{code_id}/switch")
async def post_switch(
    request: Request, organization_id: UUID, code_id: UUID, user: User, resources: ResourcesDep
) -> Response:
    """Switch a code on or off; the form says which, so that two clicks are one."""
    await OpenGrant(request, user, "price:write").grant_in(organization_id)
    fields = await read_own_form(request, user)
    async with transaction(resources.pool, organization_id) as conn:
        code = await load_code(conn, organization_id, code_id)
        if code is None:
            raise CodeNotFound
        await change_code(conn, organization_id, code_id, replace(code.terms, enabled=fields.get("enabled") == "yes"))
    return lead_to(f"/organizer/{organization_id}/codes")


async def _show(
    request: Request,
    resources: Resources,
    user: SignedIn,
    organization_id: UUID,
    refused: tuple[Mapping[str, str], str] | None = None,
) -> Response:
    speak = speaker_of(request)
    async with connection(resources.pool, organization_id) as conn:
        organization = await load_organization(conn, organization_id)
        found = await list_codes(conn, organization_id, _read_cursor(request), PAGE_COUNT + 1)
        events = await list_events_of(conn, organization_id, None, EVENTS_MAX)
        fields: Mapping[str, str] = refused[0] if refused else request.query_params
        chosen = uuid_of(fields.get("event", ""))
        sessions = await load_terms_of_event(conn, organization_id, chosen) if chosen else []
    problem = refused[1] if refused else None
    values = {
        "organization": organization.name if organization else "",
        "path": f"/organizer/{organization_id}/codes",
        "codes": [_row(code, speak) for code in found[:PAGE_COUNT]],
        "next_cursor": encode_cursor(_LIST, found[PAGE_COUNT - 1].code_id) if len(found) > PAGE_COUNT else None,
        "entered": {name: fields.get(name, "") for name in FIELDS},
        "events": event_choices(events, chosen),
        "types": type_choices(sessions, fields),
        "problem": problem,
    }
    answer = show_page(request, "codes.html", values, user)
    if problem is not None:
        answer.status_code = 422
    return answer


def _read_cursor(request: Request) -> UUID | None:
    """Read where the page begins; a cursor that is none of ours begins at the first."""
    try:
        after: Sequence[UUID] | None = decode_cursor(_LIST, request.query_params.get("cursor"), (UUID,))
    except CursorMalformed:
        return None
    return after[0] if after else None


def _what_is_wrong(speak: Translator) -> str:
    return speak.gettext(
        "Please check what you entered: a code of 3 to 40 letters and digits; a share of up to 100 percent, or an "
        "amount with its currency, or ticket types; whole numbers; and an end after the beginning."
    )


def _row(code: Code, speak: Translator) -> CodeRow:
    terms = code.terms
    off = speak.percent(terms.rate) if terms.rate else ""
    if terms.amount_minor and terms.currency:
        off = speak.money(terms.amount_minor, terms.currency)
    return CodeRow(
        code_id=code.code_id,
        code=terms.code,
        note=terms.note,
        off=off,
        used=f"{code.use_count} / {terms.uses_max}" if terms.uses_max else str(code.use_count),
        until=speak.short_date(terms.valid_until, "UTC") if terms.valid_until else "",
        enabled=terms.enabled,
    )
