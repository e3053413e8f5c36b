"""What choosing and taking the best seats costs by itself, at any fill: the pure function, without a database."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from time import thread_time
from typing import Final, NamedTuple

from fullhouse.operations.generate_seat_map import generate_seat_map
from fullhouse.seating.best_available import SeatChooser, SeatWish
from fullhouse.seating.rules import SeatMap

SIZES: Final = (1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6)
"""Most parties are pairs."""

FILLS: Final = (0.5, 0.8, 0.95, 0.98)
HELD: Final = 50
TURNS: Final = 4_000
_ANY: Final = SeatWish(None)


class Cost(NamedTuple):
    """Microseconds of processor time for one choice with its taking."""

    mean: float
    p99: float


def cost_by_fill() -> Mapping[str, Cost]:
    """Measure on an arena of 20,000 seats: emptied by sales, and at several fills with scattered seats left."""
    seat_map = generate_seat_map("arena")
    seats = range(seat_map.seat_count)
    found = {
        "pairs until it is full": _sell(seat_map, seats, (2,)),
        "parties until it is full": _sell(seat_map, seats, SIZES),
    }
    for share in FILLS:
        free = _scattered(seats, 1 - share)
        found[f"pairs, {share:.0%} full"] = _churn(seat_map, free, (2,))
        found[f"parties, {share:.0%} full"] = _churn(seat_map, free, SIZES)
    singles = _scattered(seats[::2], 0.1)
    found["pairs where single seats are left"] = _churn(seat_map, singles, (2,))
    found["parties where single seats are left"] = _churn(seat_map, singles, SIZES)
    return found


def _numbers(seed: int) -> Iterator[int]:
    """Return whole numbers that look like chance and are the same each time."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def _scattered(seats: Sequence[int], share: float) -> list[int]:
    chance = _numbers(7)
    return [seat for seat in seats if next(chance) < share * 2**31]


def _sell(seat_map: SeatMap, free: Sequence[int], sizes: Sequence[int]) -> Cost:
    """Sell until a party is refused."""
    chooser, chance, times = _warm(seat_map, free, sizes), _numbers(1), list[float]()
    while True:
        count = sizes[next(chance) % len(sizes)]
        began = thread_time()
        seats = chooser.choose(count, wish=_ANY)
        if seats is None:
            return _cost(times)
        chooser.take(seats)
        times.append(thread_time() - began)


def _churn(seat_map: SeatMap, free: Sequence[int], sizes: Sequence[int]) -> Cost:
    """Take seats of which most come back later, so that the fill stays about the same."""
    chooser, chance, times = _warm(seat_map, free, sizes), _numbers(1), list[float]()
    held: list[list[int]] = []
    for _ in range(TURNS):
        count = sizes[next(chance) % len(sizes)]
        began = thread_time()
        seats = chooser.choose(count, wish=_ANY)
        if seats is not None:
            chooser.take(seats)
            held.append(seats)
        times.append(thread_time() - began)
        if len(held) > HELD:
            chooser.give_back(held.pop(next(chance) % len(held)))
    return _cost(times)


def _warm(seat_map: SeatMap, free: Sequence[int], sizes: Sequence[int]) -> SeatChooser:
    """Return a chooser whose heaps are built, as a desk's are when it opens."""
    chooser = SeatChooser(seat_map, free)
    for count in sorted(set(sizes)):
        chooser.choose(count, wish=_ANY)
    gc.collect()
    return chooser


def _cost(times: Sequence[float]) -> Cost:
    ordered = sorted(times)
    return Cost(fmean(ordered) * 1e6, ordered[int(len(ordered) * 0.99)] * 1e6)
