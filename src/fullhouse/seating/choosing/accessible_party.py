"""A party that asks for accessible seats: those with their companions beside them, and the others as near as can be."""

from dataclasses import dataclass
from typing import Final

from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.gathering import Anchor, Left, gather
from fullhouse.seating.choosing.pool import Pool
from fullhouse.seating.choosing.room import COST_PER_PITCH, Room
from fullhouse.seating.choosing.windows import bits, square_distance
from fullhouse.seating.rules import SeatWish

_SEEDS_TRIED_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class _Spot:
    """A free accessible seat, the free seats beside it that its companions may have, and what it costs."""

    seat: int
    lane: int
    position: int
    rank: int
    cost: int
    companions: tuple[int, ...]

    def missing(self, share: int) -> int:
        """Return how many companions of a share would not sit beside it."""
        return max(0, share - len(self.companions))


def choose_accessible(free: FreeSeats, pool: Pool, count: int, wish: SeatWish) -> list[int] | None:
    """Return the accessible seats first, then the companions', then the others'.

    None only if too few accessible seats are left, or too few ordinary ones for the rest of the party. A companion for
    whom no place beside is left gets the nearest ordinary seat; the companions of other accessible seats are left to
    them as long as other seats remain.
    """
    room = free.room
    spots = _free_spots(free, pool)
    others = count - wish.accessible
    if len(spots) < wish.accessible or pool.count_ordinary(free.lanes) < others:
        return None
    chosen = _choose_spots(room, spots, wish)
    companions = _seat_companions(chosen, wish.companions)
    seats = [*(spot.seat for spot in chosen), *companions]
    if len(seats) == count:
        return seats
    reserved = {seat for spot in spots for seat in spot.companions}
    first = chosen[0]
    row = room.lanes[first.lane]
    anchor = Anchor(first.lane, row.xs[first.position], row.ys[first.position])
    rest = count - len(seats)
    parts = gather(room, _without(free, pool, reserved), rest, anchor)
    if parts is None:
        parts = gather(room, _without(free, pool, set(companions)), rest, anchor)
    if parts is None:
        return None
    return [*seats, *(seat for lane, start, size in parts for seat in room.lanes[lane].seats[start : start + size])]


def _free_spots(free: FreeSeats, pool: Pool) -> list[_Spot]:
    """Return the accessible seats that are free and that the buyer may have."""
    room = free.room
    seat_map = room.seat_map
    spots: list[_Spot] = []
    for lane, allowed in enumerate(pool.accessible):
        row = room.lanes[lane]
        for position in bits(free.lanes[lane] & allowed):
            seat = row.seats[position]
            beside = [seat_map.index_by_key[key] for key in seat_map.seats[seat].companions]
            companions = tuple(one for one in beside if _is_open(free, pool, one))
            spots.append(_Spot(seat, lane, position, row.rank, row.window_cost(position, 1), companions))
    return spots


def _is_open(free: FreeSeats, pool: Pool, seat: int) -> bool:
    """Say whether a seat is free, ordinary, and one that the buyer may have."""
    lane, bit = free.room.where[seat]
    return bool(free.lanes[lane] & pool.ordinary[lane] & bit)


def _choose_spots(room: Room, spots: list[_Spot], wish: SeatWish) -> list[_Spot]:
    """Return the accessible seats for a party: with companions beside them, best first, and near each other."""
    share = -(-wish.companions // wish.accessible)
    seeds = sorted(spots, key=lambda spot: (spot.missing(share), spot.rank, spot.cost, spot.seat))
    if wish.accessible == 1:
        return seeds[:1]
    best: tuple[tuple[int, int, int], list[_Spot]] | None = None
    for seed in seeds[:_SEEDS_TRIED_MAX]:
        group = sorted(spots, key=lambda spot: (_apart(room, seed, spot), spot.missing(share), spot.seat))
        group = group[: wish.accessible]
        lack = max(0, wish.companions - len({seat for spot in group for seat in spot.companions}))
        cost = sum(spot.cost + _apart(room, seed, spot) for spot in group)
        key = (lack, seed.rank, cost)
        if best is None or key < best[0]:
            best = (key, group)
    return seeds[: wish.accessible] if best is None else best[1]


def _apart(room: Room, one: _Spot, other: _Spot) -> int:
    """Return how far two accessible seats are apart, in the unit of costs."""
    row = room.lanes[one.lane]
    square = square_distance(room.lanes[other.lane], other.position, row.xs[one.position], row.ys[one.position])
    return round(square**0.5 * COST_PER_PITCH / room.pitch)


def _seat_companions(spots: list[_Spot], count: int) -> list[int]:
    """Return up to ``count`` companion seats, one beside each accessible seat before a second beside any."""
    found: dict[int, None] = {}
    for turn in range(max((len(spot.companions) for spot in spots), default=0)):
        for spot in spots:
            if turn < len(spot.companions) and len(found) < count:
                found.setdefault(spot.companions[turn])
    return list(found)


def _without(free: FreeSeats, pool: Pool, seats: set[int]) -> Left:
    """Return the seats that are left without some."""
    room = free.room
    lanes = free.lanes.copy()
    for seat in seats:
        lane, bit = room.where[seat]
        lanes[lane] &= ~bit
    eligible = [seats & allowed for seats, allowed in zip(lanes, pool.ordinary, strict=True)]
    in_section = [0] * len(room.lanes_of_section)
    for lane in pool.lanes:
        in_section[room.lanes[lane].section] += eligible[lane].bit_count()
    return Left(lanes, eligible, in_section)
