"""Routes of reservations: place, look, give back, ask for more time."""

from functools import lru_cache
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field, ValidationError, model_validator
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import holder_of, public
from fullhouse.core.errors import DomainError
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot import app_state, hot_route, json_headers, send_answer
from fullhouse.infra.hot_reading import (
    BodyReader,
    header_reader,
    is_json,
    is_plain_json,
    must_be_valid,
    read_field,
    read_header,
    read_raw,
)
from fullhouse.infra.http import (
    ApiModel,
    IdempotencyKey,
    KeptRefusal,
    Quantity,
    ResourcesDep,
    ShortName,
    Whole,
    problems,
    refusal,
)
from fullhouse.infra.http_guesses import CodeText, count_guess
from fullhouse.infra.idempotency import Kept, fingerprint
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import quick_id
from fullhouse.reservations.answers import PlacedReservation, ReservationAnswer, reservation_answer
from fullhouse.reservations.encode_reservation import ReservationEncoder
from fullhouse.reservations.extend_reservation import extend_reservation
from fullhouse.reservations.place_reservation import BoxOffice, Placed, RepeatedRefusal
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import (
    ITEMS_MAX,
    BestAvailable,
    ItemRequest,
    ReservationExpired,
    ReservationStatus,
)
from fullhouse.reservations.shield import Shield

router = APIRouter(tags=["reservations"])

SEATS_PER_ITEM_MAX = 1_000
REMEMBERED_BYTES_MAX = 1_000
"""Bodies up to this size are remembered with what they ask for: in an on-sale, most are equal."""


async def get_box_office(request: Request) -> BoxOffice:
    """Hand a route the desks of this process."""
    box_office: BoxOffice = request.app.state.box_office
    return box_office


async def get_shield(request: Request) -> Shield:
    """Hand a route what Valkey remembers of reservations."""
    shield: Shield = request.app.state.shield
    return shield


BoxOfficeDep = Annotated[BoxOffice, Depends(get_box_office)]
ShieldDep = Annotated[Shield, Depends(get_shield)]
TokenDep = Annotated[str, holder_of("Reservation")]


class BestAvailableWish(ApiModel):
    """The best seats that are left: together if possible, accessible ones only for those who ask."""

    count: Quantity
    section: ShortName | None = None
    accessible: Annotated[Whole, Field(le=100)] = 0
    companions: Annotated[Whole, Field(le=100)] = 0

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Check that accessible and companion seats are among those counted."""
        if self.accessible + self.companions > self.count:
            raise ValueError("accessible and companions are part of count, and may not be more")
        if self.companions and not self.accessible:
            raise ValueError("companions sit beside accessible seats; ask for both")
        return self


class ItemWish(ApiModel):
    """One ticket type, by quantity (of an area), by named seats, or by the best that is available."""

    ticket_type_id: UUID
    quantity: Quantity | None = None
    area: ShortName | None = None
    seats: Annotated[list[ShortName], Field(min_length=1, max_length=SEATS_PER_ITEM_MAX)] | None = None
    best_available: Quantity | BestAvailableWish | None = None

    @model_validator(mode="after")
    def one_way(self) -> Self:
        """Exactly one of the three ways to ask."""
        ways = [self.quantity, self.seats, self.best_available]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give exactly one of quantity, seats and best_available")
        if self.area is not None and self.quantity is None:
            raise ValueError("area goes with quantity")
        return self

    def to_request(self) -> ItemRequest:
        """Translate to the domain."""
        best = self.best_available
        if isinstance(best, int):
            best = BestAvailableWish(count=best)
        return ItemRequest(
            ticket_type_id=quick_id(self.ticket_type_id),
            quantity=self.quantity,
            area=self.area,
            seats=None if self.seats is None else tuple(self.seats),
            best_available=None if best is None else BestAvailable(**best.model_dump()),
        )


class PlaceReservation(ApiModel):
    """What to hold, all or nothing."""

    session_id: UUID
    items: Annotated[list[ItemWish], Field(min_length=1, max_length=ITEMS_MAX)]
    code: Annotated[CodeText | None, Field(description="Its order uses it.")] = None


_body = BodyReader(PlaceReservation)
_key = header_reader("Idempotency-Key", IdempotencyKey)
_encoder = ReservationEncoder()


def place_at_a_glance(asked: Asked) -> bool:
    """Place what many ask for alike: its answer is written by the desk, as soon as it has committed."""
    fields, raw = asked.fields, asked.body
    if not is_plain_json(fields) or len(raw) > REMEMBERED_BYTES_MAX:
        return False
    wanted = _read_again(raw)
    if wanted is None or wanted.code is not None:
        return False
    key = read_field(_key, fields.get(b"idempotency-key"))
    box_office: BoxOffice = asked.state.box_office

    def heard(placed: Placed | Exception) -> None:
        if isinstance(placed, Placed):
            asked.answer(201, *_shown(placed))
        elif isinstance(placed, RepeatedRefusal):
            asked.refuse(KeptRefusal(Kept(409, refusal(placed.error))))
        elif isinstance(placed, DomainError):
            asked.refuse(placed)
        else:
            asked.fail(placed)

    return box_office.ask(wanted.session_id, wanted.items, key, wanted.fingerprint, heard)


@hot_route(
    router,
    "POST /reservations",
    takes={"body": PlaceReservation, "key": IdempotencyKey},
    at_once=True,
    glance=place_at_a_glance,
    response_model=PlacedReservation,
    status_code=201,
    dependencies=[public()],
    responses=problems(404, 409),
)
async def post_reservation(scope: Scope, receive: Receive, send: Send) -> None:
    """Hold places of one session for a while. All of it or nothing; the price is fixed from here on."""
    raw = await read_raw(receive)
    wanted = _read_again(raw) if is_json(scope) and len(raw) <= REMEMBERED_BYTES_MAX else None
    if wanted is None:
        wanted = _wanted(must_be_valid(_body.read(scope, raw)))
    key = read_header(_key, scope)
    if wanted.code is not None:
        await count_guess(scope)
    box_office: BoxOffice = app_state(scope).box_office
    try:
        session_id, items, fingerprint, code = wanted
        placed = await box_office.place_reservation(session_id, items, key, fingerprint, code)
    except RepeatedRefusal as repeated:
        raise KeptRefusal(Kept(409, refusal(repeated.error))) from repeated
    await send_answer(send, 201, *_shown(placed))


def _shown(placed: Placed) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Write the answer, with its headers."""
    return _encoder.encode_placed(placed.reservation, placed.token), json_headers(replayed=placed.replayed)


class _Wanted(NamedTuple):
    session_id: UUID
    items: tuple[ItemRequest, ...]
    fingerprint: bytes
    code: str | None


def _wanted(body: PlaceReservation) -> _Wanted:
    items = tuple(item.to_request() for item in body.items)
    return _Wanted(quick_id(body.session_id), items, fingerprint(body.model_dump(mode="json")), body.code)


@lru_cache(maxsize=2_000)
def _read_again(raw: bytes) -> _Wanted | None:
    """Read a body that many send, once; None where it is not valid, or was not read by the fast parser."""
    try:
        return _wanted(_body.adapter.validate_json(raw))
    except ValidationError:
        return None


@router.get("/reservations/{reservation_id}", responses=problems(404))
async def get_reservation(
    reservation_id: UUID, token: TokenDep, box_office: BoxOfficeDep, shield: ShieldDep
) -> ReservationAnswer:
    """Look at a reservation."""
    reservation = await box_office.open_reservation(reservation_id, token)
    await shield.remember_reservations([reservation])
    return reservation_answer(reservation)


@router.delete("/reservations/{reservation_id}", status_code=204, responses=problems(404, 409))
async def delete_reservation(
    reservation_id: UUID, token: TokenDep, box_office: BoxOfficeDep, resources: ResourcesDep, shield: ShieldDep
) -> None:
    """Give a reservation back. Giving back what has expired or was given back before changes nothing."""
    reservation = await box_office.open_reservation(reservation_id, token)
    async with transaction(resources.pool, reservation.organization_id) as conn:
        await release_reservation(conn, resources.make_id, reservation.organization_id, reservation_id)
    await shield.forget_reservation(reservation)
    reservation = await box_office.open_reservation(reservation_id, token)
    if reservation.status is ReservationStatus.SOLD:
        raise ReservationExpired("It is sold; cancel or refund its order.", reservation_status=str(reservation.status))


@router.post("/reservations/{reservation_id}/extend", responses=problems(404, 409))
async def post_extend(
    reservation_id: UUID, token: TokenDep, box_office: BoxOfficeDep, resources: ResourcesDep, shield: ShieldDep
) -> ReservationAnswer:
    """Ask for more time: the session's hold again from now, up to 120 minutes from the first hold."""
    reservation = await box_office.open_reservation(reservation_id, token)
    seconds = await box_office.hold_seconds(reservation)
    async with transaction(resources.pool, reservation.organization_id) as conn:
        reservation = await extend_reservation(conn, reservation.organization_id, reservation_id, seconds=seconds)
    await shield.remember_reservations([reservation])
    return reservation_answer(reservation)
