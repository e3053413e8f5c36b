"""The route that places orders. Showing one stands with its tickets, cancelling one with its payments."""

from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field, field_validator, model_validator

from fullhouse.access.http import anyone_with
from fullhouse.access.rules import CredentialMissing
from fullhouse.core.errors import DomainError
from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.events.form.rules import ANSWER_LENGTH_MAX, QUESTIONS_MAX
from fullhouse.infra.http import (
    ApiModel,
    Email,
    IdempotencyKey,
    KeptRefusal,
    Line,
    Quantity,
    ResourcesDep,
    claim_for,
    idempotent,
    is_final,
    problems,
    refusal,
)
from fullhouse.infra.http_guesses import CodeText, count_guess
from fullhouse.infra.idempotency import Claim, IdempotencyInFlight, Kept, begin
from fullhouse.infra.languages import language_or_default, negotiate
from fullhouse.infra.postgres import Connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.orders.answers import OrderAnswer, PlacedOrderAnswer, order_answer
from fullhouse.orders.persons.rules import Given, Holder
from fullhouse.orders.place_order import OrderRequest, place_order
from fullhouse.orders.reserve_for_order import ShortWish, find_seller, reserve_for_order
from fullhouse.orders.rules import Consent, OrderExists, check_contact
from fullhouse.reservations.api import BoxOfficeDep
from fullhouse.reservations.place_reservation import BoxOffice, Placed, RepeatedRefusal
from fullhouse.reservations.release_reservation import release_reservation

router = APIRouter(tags=["orders"])


class ConsentBody(ApiModel):
    """A purpose such as `newsletter`, and the version of the text that the buyer was shown."""

    purpose: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,49}$")]
    text_version: Annotated[str, Field(pattern=r"^[!-~]{1,50}$")]


Answers = Annotated[
    dict[Annotated[str, Field(max_length=50)], Annotated[str, Field(max_length=ANSWER_LENGTH_MAX)]],
    Field(max_length=QUESTIONS_MAX, description="By the keys of the questions that the event asks."),
]


class HolderBody(ApiModel):
    """Who one ticket is for: of the type that is named, or else the next of any."""

    name: Line = ""
    ticket_type_id: UUID | None = None
    answers: Answers = Field(default_factory=dict[str, str])


class GivenBody(ApiModel):
    """What is given of people with an order, as its event asks for it."""

    holders: Annotated[
        tuple[HolderBody, ...], Field(max_length=1000, description="One for each ticket, in the order of the lines.")
    ] = ()
    answers: Answers = Field(default_factory=dict[str, str])
    consents: Annotated[
        tuple[ConsentBody, ...], Field(max_length=20, description="What the buyer agreed to, as they were asked.")
    ] = ()

    @field_validator("consents")
    @classmethod
    def name_purposes_once(cls, consents: tuple[ConsentBody, ...]) -> tuple[ConsentBody, ...]:
        """One consent for each purpose."""
        if len({consent.purpose for consent in consents}) != len(consents):
            raise ValueError("name each purpose once")
        return consents

    @property
    def given(self) -> Given:
        """What is given of people, besides who buys."""
        return Given(
            tuple(Holder(one.name, one.answers, one.ticket_type_id) for one in self.holders),
            self.answers,
            tuple(Consent(one.purpose, one.text_version) for one in self.consents),
        )


class PlaceOrder(GivenBody):
    """What to order: a reservation (with its token as credential), or in the short form so many tickets at once."""

    reservation_id: UUID | None = None
    reservation_ids: Annotated[
        list[UUID] | None, Field(min_length=1, max_length=1, description="At present exactly one.")
    ] = None
    session_id: UUID | None = None
    event_id: Annotated[UUID | None, Field(description="Stands for its session, where only one is on sale.")] = None
    ticket_type_id: Annotated[UUID | None, Field(description="May be left out where there is only one.")] = None
    quantity: Quantity | None = None
    email: Email
    name: Line = ""
    language: Annotated[
        str | None, Field(pattern="^[A-Za-z]{2}([-_][A-Za-z]{2})?$", description="Else by `Accept-Language`.")
    ] = None
    code: Annotated[CodeText | None, Field(description="A code, unless the places were held with it already.")] = None

    @model_validator(mode="after")
    def one_form(self) -> Self:
        """Exactly one way to say what is ordered."""
        ways = [self.reservation_id, self.reservation_ids, self.session_id, self.event_id]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give exactly one of reservation_id, reservation_ids, session_id and event_id")
        is_short = self.session_id is not None or self.event_id is not None
        if is_short != (self.quantity is not None):
            raise ValueError("quantity goes with session_id or event_id, and is needed there")
        if self.ticket_type_id is not None and not is_short:
            raise ValueError("ticket_type_id goes with session_id or event_id")
        return self

    @property
    def reservation(self) -> UUID | None:
        """The reservation that is ordered; None in the short form."""
        return self.reservation_ids[0] if self.reservation_ids else self.reservation_id


@router.post("/orders", status_code=201, responses=problems(401, 404, 409))
async def post_order(  # noqa: PLR0913, PLR0917 (FastAPI fills the parameters by name)
    body: PlaceOrder,
    request: Request,
    response: Response,
    token: Annotated[str | None, anyone_with("Reservation")],
    resources: ResourcesDep,
    office: BoxOfficeDep,
    key: IdempotencyKey = None,
    accept_language: Annotated[str | None, Header(max_length=1000)] = None,
) -> PlacedOrderAnswer:
    """Place an order. Its places are held for the session's time from now; a free one is paid at once."""
    check_contact(body.email, body.name)
    if body.code is not None:
        await count_guess(request.scope)
    language = language_or_default(body.language) if body.language else negotiate(accept_language)
    counter = _Counter(resources, office, response, body, language)
    if body.reservation is None:
        return await _order_at_once(counter, key)
    if token is None:
        raise CredentialMissing(schemes=["Reservation"])
    reservation = await office.open_reservation(body.reservation, token)
    claim = claim_for(reservation.organization_id, f"orders:{body.reservation}", key, body)
    return await _order(counter, reservation.organization_id, claim, Placed(reservation, token, replayed=False))


@dataclass(frozen=True, slots=True)
class _Counter:
    """What placing the order of one request needs."""

    resources: Resources
    office: BoxOffice
    response: Response
    body: PlaceOrder
    language: str


async def _order_at_once(counter: _Counter, key: str | None) -> PlacedOrderAnswer:
    """Reserve, then order. A repeat takes up where the first ended, since one key follows from the other."""
    body, pool = counter.body, counter.resources.pool
    wish = ShortWish(body.session_id, body.event_id, body.ticket_type_id, body.quantity or 0, body.given, body.code)
    organization_id = await find_seller(pool, wish)
    claim = claim_for(organization_id, f"orders:{body.session_id or body.event_id}", key, body)
    async with transaction(pool, organization_id) as conn:
        is_kept = claim is not None and await begin(conn, claim) is not None
    if is_kept:
        return await _order(counter, organization_id, claim, None)
    try:
        placed = await reserve_for_order(pool, counter.office, organization_id, wish, claim)
    except RepeatedRefusal as repeated:
        raise KeptRefusal(Kept(409, refusal(repeated.error))) from repeated
    try:
        return await _order(counter, organization_id, claim, placed)
    except DomainError as error:
        if is_final(error) and not isinstance(error, OrderExists):
            async with transaction(pool, organization_id) as conn:
                ids = (organization_id, placed.reservation.reservation_id)
                await release_reservation(conn, counter.resources.make_id, *ids)
        raise


async def _order(
    counter: _Counter, organization_id: UUID, claim: Claim | None, placed: Placed | None
) -> PlacedOrderAnswer:
    """Order what was placed; None where the first answer is known to be kept. What is kept names no person."""
    body, resources = counter.body, counter.resources
    order_key = derive_key(resources.secret_key, "order")
    contact = check_contact(body.email, body.name)

    async def effect(conn: Connection) -> OrderAnswer:
        if placed is None:
            raise IdempotencyInFlight
        reservation = placed.reservation
        ids = (reservation.organization_id, reservation.reservation_id)
        request = OrderRequest(*ids, placed.token, contact, counter.language, body.given, body.code)
        done = await place_order(conn, resources.make_id, order_key, request)
        return order_answer(done.order, done.lines, None, done.expires_at)

    answer = await idempotent(resources.pool, organization_id, counter.response, claim, effect, model=OrderAnswer)
    named = answer.model_copy(update={"email": contact.email, "name": contact.name})
    return PlacedOrderAnswer(secret=derive_secret(order_key, answer.id), **dict(named))
