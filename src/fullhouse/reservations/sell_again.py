"""Late money: selling the places of a reservation that has ended, the same ones if they are free, else equal ones."""

from dataclasses import replace
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations import queries, writes
from fullhouse.reservations.blocked import writes as allocation_writes
from fullhouse.reservations.blocked.allocation import Allocation, open_to_sellers
from fullhouse.reservations.blocked.take_from_allocation import take_from_allocation
from fullhouse.reservations.expire_reservations import expire_in_session
from fullhouse.reservations.messages import ReservationSold
from fullhouse.reservations.queries import reservation_of
from fullhouse.reservations.rules import (
    HeldItem,
    HeldSeat,
    Reservation,
    ReservationStatus,
    SeatState,
    draw_of,
)
from fullhouse.reservations.stock import Stock
from fullhouse.reservations.writes import SeatMove, StockMove
from fullhouse.seating.best_available import SeatWish


async def sell_again(
    conn: Connection, make_id: MakeId, organization_id: UUID, reservation_id: UUID
) -> Reservation | None:
    """Sell the places of a released or expired reservation, or equal ones where the session allows it.

    Equal means: the same ticket type and price category, in one row where it was one row; and of the same allocation,
    where they were taken from one that is still blocked. The price stays as it was paid. None means that nothing was
    changed, because there are no such places. Locks stock, then the reservation. Raises ``ReservationNotFound``.
    """
    row = await writes.lock_with_stock(conn, organization_id, reservation_id)
    session_id: UUID = row["session_id"]
    terms = await load_terms(conn, organization_id, session_id)
    if terms is None or row["status"] not in {ReservationStatus.RELEASED, ReservationStatus.EXPIRED}:
        return None
    await expire_in_session(conn, make_id, organization_id, session_id)
    stock = await queries.load_stock(conn, organization_id, session_id)
    blocked = await allocation_writes.lock_allocations(conn, organization_id, session_id, _asked(row))
    allocation = blocked.get(row["allocation_id"])
    seen = stock if allocation is None else open_to_sellers(stock, allocation)
    items = find_places(seen, terms, reservation_of(row).items)
    if items is None:
        return None
    sold = reservation_of(row, ReservationStatus.SOLD)._replace(items=items)
    await _write(conn, make_id, sold, allocation)
    return sold


def _asked(row: Record) -> tuple[UUID, ...]:
    return () if row["allocation_id"] is None else (row["allocation_id"],)


def find_places(stock: Stock, terms: SessionTerms, items: tuple[HeldItem, ...]) -> tuple[HeldItem, ...] | None:
    """Find the same places, else equal ones where the session allows it, else None. Takes them from ``stock``."""
    draw = draw_of(items)
    if any(stock.counters[quota_id].available < count for quota_id, count in draw.quota_counts.items()):
        return None
    if all(stock.seat_states[seat] == SeatState.AVAILABLE for seat in draw.seats):
        stock.take(draw)
        return items
    if not terms.reseat_equal:
        return None
    equal: list[HeldItem] = []
    for item in items:
        found = _equal_places(stock, terms, item)
        if found is None:
            return None
        stock.take(draw_of((found,)))
        equal.append(found)
    return tuple(equal)


def _equal_places(stock: Stock, terms: SessionTerms, item: HeldItem) -> HeldItem | None:
    seat_map = stock.seat_map
    if not item.seats or seat_map is None:
        return item
    if all(stock.seat_states[seat.index] == SeatState.AVAILABLE for seat in item.seats):
        return item
    category = terms.category(item.price_category_id)
    accessible = sum(1 for seat in item.seats if seat_map.seats[seat.index].accessible)
    wish = SeatWish(categories=frozenset({category.key}), accessible=accessible)
    try:
        chosen = stock.chooser.choose(item.quantity, wish=wish)
    except DomainError:
        return None
    if chosen is None or not _together(stock, chosen, [seat.index for seat in item.seats]):
        return None
    seats = tuple(HeldSeat(index, seat_map.seats[index].key, seat_map.seats[index].label) for index in chosen)
    return replace(item, seats=seats)


def _together(stock: Stock, chosen: list[int], before: list[int]) -> bool:
    return _rows(stock, chosen) <= max(1, _rows(stock, before))


def _rows(stock: Stock, seats: list[int]) -> int:
    assert stock.seat_map is not None  # noqa: S101 (the caller has a map)
    wanted = set(seats)
    rows = (row for section in stock.seat_map.sections for row in section.rows)
    return sum(1 for row in rows if any(seat.index in wanted for seat in row.seats))


async def _write(conn: Connection, make_id: MakeId, sold: Reservation, allocation: Allocation | None) -> None:
    draw = draw_of(sold.items)
    await writes.reseat_reservation(conn, sold, draw)
    move = StockMove(
        sold.organization_id,
        sold.session_id,
        seats=[SeatMove(draw.seats, SeatState.AVAILABLE, SeatState.SOLD, sold.reservation_id)],
        sold=draw.quota_counts,
    )
    if allocation is not None:
        move = await take_from_allocation(conn, move, allocation, draw)
    version = await writes.move_stock(conn, move)
    fact = ReservationSold(sold.organization_id, sold.session_id, version, (sold.reservation_id,))
    await outbox.append(conn, make_id, [fact])
