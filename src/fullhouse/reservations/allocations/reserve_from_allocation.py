"""Reserving what an allocation keeps from the public, for who may sell it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.access.policies.seat import may_sell
from fullhouse.access.rules import Asker
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.secrets import hash_secret
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import queries, writes
from fullhouse.reservations.blocked import writes as allocation_writes
from fullhouse.reservations.blocked.allocation import Allocation, open_to_sellers
from fullhouse.reservations.blocked.take_from_allocation import take_from_allocation
from fullhouse.reservations.decide import Refused, Request, decide
from fullhouse.reservations.expire_reservations import expire_in_session
from fullhouse.reservations.messages import ReservationHeld
from fullhouse.reservations.place_reservation import open_code_at
from fullhouse.reservations.rules import (
    HOLD_SECONDS_TOTAL_MAX,
    AllocationNotFound,
    ItemRequest,
    Reservation,
    ReservationStatus,
    SeatState,
    SessionNotFound,
    draw_of,
)
from fullhouse.reservations.stock import Places
from fullhouse.reservations.tokens import reservation_secret
from fullhouse.reservations.writes import NewReservation, SeatMove, StockMove


@dataclass(frozen=True, slots=True)
class Source:
    """The allocation that is reserved from."""

    organization_id: UUID
    session_id: UUID
    allocation_id: UUID
    code: str | None = None
    """A code as it was typed."""


async def check_seller(conn: Connection, asker: Asker, source: Source) -> None:
    """Raise ``AllocationNotFound`` unless the allocation is blocked and who asks may sell from it."""
    row = await queries.load_allocation_key(conn, source.organization_id, source.session_id, source.allocation_id)
    if row is None or not may_sell(asker, source.organization_id, row["key_hash"]):
        raise AllocationNotFound


async def reserve_from_allocation(
    conn: Connection, make_id: MakeId, token_key: bytes, source: Source, items: tuple[ItemRequest, ...]
) -> Reservation:
    """Hold places of an allocation, all or nothing, under the same prices, codes, limits and times as the public.

    The caller has asked ``check_seller``. What is not sold goes back to the allocation, or to the public once that was
    released. Raises ``AllocationNotFound``, and the refusals of ``BoxOffice.place_reservation``.
    """
    organization_id, session_id = source.organization_id, source.session_id
    await writes.lock_stock(conn, organization_id, session_id)
    # What expired may have come back to this very allocation, which is therefore read afterwards.
    await expire_in_session(conn, make_id, organization_id, session_id)
    blocked = await allocation_writes.lock_allocations(conn, organization_id, session_id, [source.allocation_id])
    allocation = blocked.get(source.allocation_id)
    if allocation is None:
        raise AllocationNotFound
    terms = await load_terms(conn, organization_id, session_id)
    if terms is None:
        raise SessionNotFound
    opened = await open_code_at(conn, terms, source.code) if source.code else None
    stock = open_to_sellers(await queries.load_stock(conn, organization_id, session_id), allocation)
    now = await queries.read_clock(conn)
    reservation_id = make_id()
    hashed = hash_secret(reservation_secret(token_key, reservation_id))
    [decision] = decide(stock, terms, [Request(reservation_id, items, hashed, opened)], now)
    if isinstance(decision, Refused):
        raise decision.error
    reservation = _reservation(terms, decision.request, decision.places, now)
    await _write(conn, make_id, reservation, allocation)
    return reservation


def _reservation(terms: SessionTerms, request: Request, places: Places, now: datetime) -> Reservation:
    return Reservation(
        terms.organization_id,
        request.reservation_id,
        terms.session_id,
        ReservationStatus.HELD,
        request.token_hash,
        places.items,
        places.total_minor,
        terms.currency,
        now,
        now + timedelta(seconds=terms.hold_seconds),
        now + timedelta(seconds=HOLD_SECONDS_TOTAL_MAX),
    )


async def _write(conn: Connection, make_id: MakeId, reservation: Reservation, allocation: Allocation) -> None:
    organization_id, session_id = reservation.organization_id, reservation.session_id
    reservation_id, allocation_id = reservation.reservation_id, allocation.allocation_id
    draw = draw_of(reservation.items)
    seats = [SeatMove(draw.seats, SeatState.AVAILABLE, SeatState.HELD, reservation_id, allocation_id)]
    move = StockMove(organization_id, session_id, seats=seats, held=draw.quota_counts)
    version = await writes.move_stock(conn, await take_from_allocation(conn, move, allocation, draw))
    await writes.insert_reservations(conn, [NewReservation(reservation, draw)])
    await allocation_writes.note_allocation(conn, organization_id, reservation_id, allocation_id)
    await outbox.append(conn, make_id, [ReservationHeld(organization_id, session_id, version, (reservation_id,))])
    details: dict[str, Json] = {
        "session_id": str(session_id),
        "reservation_id": str(reservation_id),
        "count": reservation.quantity,
    }
    await record(conn, organization_id, Act("stock.reserve", "allocation", allocation_id, details))
