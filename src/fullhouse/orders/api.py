"""The route that places orders. Showing one stands with its tickets, cancelling one with its payments."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field, field_validator, model_validator
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import anyone_with, find_secret, secret_at_a_glance
from fullhouse.access.rules import CredentialMissing
from fullhouse.core.errors import DomainError
from fullhouse.events.form.rules import ANSWER_LENGTH_MAX, QUESTIONS_MAX
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot import app_state, hot_route, json_headers, send_answer
from fullhouse.infra.hot_reading import BodyReader, header_reader, must_be_valid, read_field, read_header, read_raw
from fullhouse.infra.http import (
    ApiModel,
    Email,
    IdempotencyKey,
    KeptRefusal,
    Line,
    Quantity,
    claim_for,
    is_final,
    problems,
    refusal,
)
from fullhouse.infra.http_guesses import CodeText, count_guess
from fullhouse.infra.idempotency import Claim, Kept, begin
from fullhouse.infra.languages import language_or_default, negotiate
from fullhouse.infra.postgres import transaction
from fullhouse.infra.resources import Resources
from fullhouse.orders.answers import PlacedOrderAnswer
from fullhouse.orders.persons.rules import Given, Holder
from fullhouse.orders.placing.asked import OrderRequest
from fullhouse.orders.placing.order_desk import OrderDesk, Ordered, answered_before
from fullhouse.orders.reserve_for_order import ShortWish, find_seller, reserve_for_order
from fullhouse.orders.rules import Consent, Contact, OrderExists, check_contact
from fullhouse.reservations.place_reservation import BoxOffice, RepeatedRefusal
from fullhouse.reservations.release_reservation import release_reservation

AcceptLanguage = Annotated[str | None, Header(max_length=1000)]

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


def order_at_a_glance(asked: Asked) -> bool:
    """Order what is reserved. What was not reserved before, or shows a code, goes the long way."""
    body, token = _body.read_plain(asked.fields, asked.body), secret_at_a_glance(asked, "Reservation")
    if body is None or token is None or body.reservation is None or body.code is not None:
        return False
    key = read_field(_key, asked.fields.get(_key.name))
    accepted = read_field(_accept_language, asked.fields.get(_accept_language.name))
    counter = _Counter(asked.state, body, accepted)
    organization_id = counter.office.peek_organization_of_token(token)
    if organization_id is None:
        return False

    async def answer() -> None:
        asked.answer(201, *counter.shown(await counter.order_held(organization_id, token, key)))

    asked.go_on(answer())
    return True


@hot_route(
    router,
    "POST /orders",
    takes={
        "body": PlaceOrder,
        "token": Annotated[str | None, anyone_with("Reservation")],
        "key": IdempotencyKey,
        "accept_language": AcceptLanguage,
    },
    at_once=True,
    glance=order_at_a_glance,
    response_model=PlacedOrderAnswer,
    status_code=201,
    responses=problems(401, 404, 409),
)
async def post_order(scope: Scope, receive: Receive, send: Send) -> None:
    """Place an order. Its places are held for the session's time from now; a free one is paid at once."""
    body = must_be_valid(_body.read(scope, await read_raw(receive)))
    token = await find_secret(scope, "Reservation")
    key = read_header(_key, scope)
    accepted = read_header(_accept_language, scope)
    counter = _Counter(app_state(scope), body, accepted)
    if body.code is not None:
        await count_guess(scope)
    if body.reservation is None:
        ordered = await _order_at_once(counter, key)
    elif token is None:
        raise CredentialMissing(schemes=["Reservation"])
    else:
        ordered = await counter.order_held(await counter.office.organization_of_token(token), token, key)
    await send_answer(send, 201, *counter.shown(ordered))


_body = BodyReader(PlaceOrder)
_key = header_reader("Idempotency-Key", IdempotencyKey)
_accept_language = header_reader("Accept-Language", AcceptLanguage)


class _Counter:
    """What placing the order of one request needs."""

    def __init__(self, state: Any, body: PlaceOrder, accepted: str | None) -> None:  # noqa: ANN401 (as the framework has it)
        """Take the parts of this process, and what the request says. Raises ``Invalid``."""
        self.resources: Resources = state.resources
        self.office: BoxOffice = state.box_office
        self.desk: OrderDesk = state.order_desk
        self.body = body
        self.contact: Contact = check_contact(body.email, body.name)
        self._language = language_or_default(body.language) if body.language else negotiate(accepted)

    async def order_held(self, organization_id: UUID, token: str, key: str | None) -> Ordered:
        """Order the reservation that the body names."""
        body = self.body
        assert body.reservation is not None  # noqa: S101 (the other form is ordered otherwise)
        claim = claim_for(organization_id, f"orders:{body.reservation}", key, body)
        return await self.order(organization_id, body.reservation, token, claim)

    async def order(self, organization_id: UUID, reservation_id: UUID, token: str, claim: Claim | None) -> Ordered:
        """Order what is reserved."""
        body = self.body
        request = OrderRequest(
            organization_id, reservation_id, token, self.contact, self._language, body.given, body.code
        )
        return await self.desk.place(request, claim)

    def shown(self, ordered: Ordered) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
        """Write the answer with who bought, and with the secret; what is kept of it has neither. With its headers."""
        secret = self.desk.secret_of(ordered.order_id)
        who = {"email": self.contact.email, "name": self.contact.name, "secret": secret}
        return to_json({**ordered.answer, **who}), json_headers(replayed=ordered.replayed)


async def _order_at_once(counter: _Counter, key: str | None) -> Ordered:
    """Reserve, then order. A repeat takes up where the first ended, since one key follows from the other."""
    body, resources = counter.body, counter.resources
    wish = ShortWish(body.session_id, body.event_id, body.ticket_type_id, body.quantity or 0, body.given, body.code)
    organization_id = await find_seller(resources.pool, wish)
    claim = claim_for(organization_id, f"orders:{body.session_id or body.event_id}", key, body)
    if claim is not None:
        async with transaction(resources.pool, organization_id) as conn:
            kept = await begin(conn, claim)
        if kept is not None:
            return answered_before(kept)
    try:
        placed = await reserve_for_order(resources.pool, counter.office, organization_id, wish, claim)
    except RepeatedRefusal as repeated:
        raise KeptRefusal(Kept(409, refusal(repeated.error))) from repeated
    try:
        return await counter.order(organization_id, placed.reservation.reservation_id, placed.token, claim)
    except DomainError as error:
        if is_final(error) and not isinstance(error, OrderExists):
            async with transaction(resources.pool, organization_id) as conn:
                ids = (organization_id, placed.reservation.reservation_id)
                await release_reservation(conn, resources.make_id, *ids)
        raise
