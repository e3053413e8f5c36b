"""Routes of codes: making and changing them, how often they are used, and what one does for a buyer."""

from dataclasses import asdict
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints, model_validator

from fullhouse.access.http import public, requires
from fullhouse.access.rules import Grant
from fullhouse.catalogue.api.asked_by import EventBoardDep
from fullhouse.catalogue.api.charges import Percent, rate_of
from fullhouse.catalogue.api.offers import OfferAnswer, offer_answer
from fullhouse.catalogue.check_code import check_code
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.http import (
    ApiModel,
    Currency,
    Cursor,
    Flag,
    IdempotencyKey,
    Instant,
    Limit,
    Line,
    Page,
    PriceMinor,
    ResourcesDep,
    Whole,
    claim_for,
    decode_cursor,
    idempotent,
    page_of,
    problems,
)
from fullhouse.infra.http_guesses import CodeText, count_guess
from fullhouse.infra.postgres import Connection, connection, transaction
from fullhouse.pricing.code_queries import list_codes, list_uses, load_code
from fullhouse.pricing.codes import Code, CodeNotFound, CodeTerms
from fullhouse.pricing.rules import FeePer, percent_text
from fullhouse.pricing.set_code import change_code, create_code
from fullhouse.reservations.place_reservation import open_code_at

router = APIRouter(tags=["prices"])
_LIST, _USES = "codes", "code_uses"
NAMED_MAX = 500

Pricer = Annotated[Grant, requires("price:write")]
Letters = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern="^[A-Za-z0-9][A-Za-z0-9_-]{2,39}$"),
    Field(description="Capitals, digits, `-` and `_`; what is typed small is the same code."),
]
Count = Annotated[Whole, Field(ge=1)]


class CodeBody(ApiModel):
    """A code: what it takes off, what it opens, where, when and how often. All of it, also when it is changed."""

    code: Letters
    note: Line = ""
    event_id: Annotated[UUID | None, Field(description="Every event, if left out.")] = None
    session_ids: Annotated[tuple[UUID, ...], Field(max_length=NAMED_MAX, description="None: every session.")] = ()
    ticket_type_ids: Annotated[
        tuple[UUID, ...],
        Field(max_length=NAMED_MAX, description="What becomes cheaper, and is opened where it is hidden. None: all."),
    ] = ()
    percent: Percent = "0"
    amount_minor: PriceMinor = 0
    per: Annotated[FeePer, Field(description="Whether the amount is off each ticket or off the order.")] = FeePer.TICKET
    currency: Annotated[Currency | None, Field(description="Of the amount.")] = None
    uses_max: Annotated[Count | None, Field(description="How many orders may use it.")] = None
    per_buyer_max: Annotated[Count | None, Field(description="How many orders of one mail address.")] = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    enabled: Flag = True

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        """Take something off or open something, at a time that exists."""
        if rate_of(self.percent) and self.amount_minor:
            raise ValueError("give percent or amount_minor, not both")
        if bool(self.amount_minor) != (self.currency is not None):
            raise ValueError("currency goes with amount_minor")
        if not rate_of(self.percent) and not self.amount_minor and not self.ticket_type_ids:
            raise ValueError("a code takes something off, or opens ticket_type_ids")
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must be after valid_from")
        return self

    def terms(self) -> CodeTerms:
        """Return what was sent, as the feature takes it."""
        return CodeTerms(
            code=self.code,
            note=self.note,
            event_id=self.event_id,
            session_ids=frozenset(self.session_ids),
            ticket_type_ids=frozenset(self.ticket_type_ids),
            rate=rate_of(self.percent),
            amount_minor=self.amount_minor,
            per=self.per,
            currency=self.currency,
            uses_max=self.uses_max,
            per_buyer_max=self.per_buyer_max,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            enabled=self.enabled,
        )


class CodeAnswer(CodeBody):
    """A code, and how many orders use it now."""

    id: UUID
    use_count: int
    created_at: Instant


class CodeUseAnswer(ApiModel):
    """An order that used a code; ``returned_at`` says when it gave the use back, because it was not paid."""

    order_id: UUID
    used_at: Instant
    returned_at: Instant | None


class ShowCode(ApiModel):
    """A code as somebody types it."""

    code: CodeText


class ShownCode(ApiModel):
    """What a session sells to who has the code, at the prices that they pay."""

    ticket_types: list[OfferAnswer]


@router.get("/organizations/{organization_id}/codes", dependencies=[requires("price:write")], responses=problems(404))
async def get_codes(
    organization_id: UUID, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[CodeAnswer]:
    """List codes, the newest first."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_codes(conn, organization_id, after[0] if after else None, limit + 1)
    return page_of(_LIST, found, limit, _answer, lambda code: (code.code_id,))


@router.post(
    "/organizations/{organization_id}/codes",
    status_code=201,
    dependencies=[requires("price:write")],
    responses=problems(404, 409),
)
async def post_code(
    organization_id: UUID, body: CodeBody, resources: ResourcesDep, response: Response, key: IdempotencyKey = None
) -> CodeAnswer:
    """Make a code."""

    async def effect(conn: Connection) -> CodeAnswer:
        await check_code(conn, organization_id, body.terms())
        return _answer(await create_code(conn, resources.make_id, organization_id, body.terms()))

    claim = claim_for(organization_id, "codes", key, body)
    return await idempotent(resources.pool, organization_id, response, claim, effect, model=CodeAnswer)


@router.get("/organizations/{organization_id}/codes/{code_id}", responses=problems(404))
async def get_code(organization_id: UUID, code_id: UUID, grant: Pricer, resources: ResourcesDep) -> CodeAnswer:
    """Show a code."""
    grant.check_organization(organization_id)
    async with connection(resources.pool, organization_id) as conn:
        code = await load_code(conn, organization_id, code_id)
    if code is None:
        raise CodeNotFound
    return _answer(code)


@router.put("/organizations/{organization_id}/codes/{code_id}", responses=problems(404, 409))
async def put_code(
    organization_id: UUID, code_id: UUID, body: CodeBody, grant: Pricer, resources: ResourcesDep
) -> CodeAnswer:
    """Change a code, or with ``enabled`` false disable it. What was held or ordered with it keeps its price."""
    grant.check_organization(organization_id)
    async with transaction(resources.pool, organization_id) as conn:
        await check_code(conn, organization_id, body.terms())
        return _answer(await change_code(conn, organization_id, code_id, body.terms()))


@router.get("/organizations/{organization_id}/codes/{code_id}/uses", responses=problems(404))
async def get_uses(
    organization_id: UUID,
    code_id: UUID,
    grant: Pricer,
    resources: ResourcesDep,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CodeUseAnswer]:
    """List the orders that used a code, the newest first."""
    grant.check_organization(organization_id)
    after = decode_cursor(_USES, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        if await load_code(conn, organization_id, code_id) is None:
            raise CodeNotFound
        found = await list_uses(conn, organization_id, code_id, after[0] if after else None, limit + 1)
    return page_of(_USES, found, limit, lambda use: CodeUseAnswer(**asdict(use)), lambda use: (use.order_id,))


@router.post("/sessions/{session_id}/code", dependencies=[public()], responses=problems(404, 409))
async def post_session_code(
    session_id: UUID, body: ShowCode, request: Request, resources: ResourcesDep, board: EventBoardDep
) -> ShownCode:
    """Show what a code does at a session: hidden ticket types that it opens, and the prices with it. Uses nothing."""
    await count_guess(request.scope)
    shown = await board.show_session(session_id)
    if not shown.view.is_public:
        raise SessionNotFound
    session = shown.view.sessions[0]
    async with connection(resources.pool, session.terms.organization_id) as conn:
        opened = await open_code_at(conn, session.terms, body.code)
    return ShownCode(ticket_types=[offer_answer(offer) for offer in session.with_code(opened).offers])


def _answer(code: Code) -> CodeAnswer:
    terms = code.terms
    return CodeAnswer(
        id=code.code_id,
        code=terms.code,
        note=terms.note,
        event_id=terms.event_id,
        session_ids=tuple(sorted(terms.session_ids)),
        ticket_type_ids=tuple(sorted(terms.ticket_type_ids)),
        percent=percent_text(terms.rate),
        amount_minor=terms.amount_minor,
        per=terms.per,
        currency=terms.currency,
        uses_max=terms.uses_max,
        per_buyer_max=terms.per_buyer_max,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        enabled=terms.enabled,
        use_count=code.use_count,
        created_at=code.created_at,
    )
