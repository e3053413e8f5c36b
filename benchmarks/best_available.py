"""How long choosing and taking the best seats takes, at any fill: ``python benchmarks/best_available.py [SEATS]``.

Prints mean, p50, p99 and the worst in microseconds of processor time for one ``choose`` and ``take``. Nothing is
asserted: read the numbers beside those of another commit on the same machine. The first call for a size builds its
heap and is shown apart.
"""

import gc
import json
import random
import sys
from collections.abc import Callable, Iterable
from statistics import fmean
from time import thread_time as cpu_seconds

from fullhouse.operations.generate_seat_map import generate_document, generate_seat_map
from fullhouse.seating.best_available import SeatChooser, SeatWish
from fullhouse.seating.choosing.room import room_of
from fullhouse.seating.import_seat_map import import_seat_map
from fullhouse.seating.rules import Point, PriceCategory, Row, Seat, SeatMap, Section

ANY = SeatWish(None)
SIZES = [1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6]
"""Most parties are pairs."""


def main() -> None:
    """Run all cases on the arena of 20,000 seats, or on a plain room of as many seats as asked for."""
    seat_map = generate_seat_map("arena") if len(sys.argv) < 2 else plain_room(int(sys.argv[1]))
    raw = json.dumps(generate_document("arena"))
    print(f"import of 20,000 seats    {timed(lambda: import_seat_map(raw)):8.0f} µs")
    print(f"geometry, once a map      {timed(lambda: room_of(seat_map)):8.0f} µs")
    seats = range(seat_map.seat_count)
    print(f"open a desk's chooser     {timed(lambda: SeatChooser(seat_map, seats)):8.0f} µs")
    chooser = SeatChooser(seat_map, seats)
    for count in (1, 2, 6):
        print(f"first party of {count}          {timed(lambda count=count: chooser.choose(count, wish=ANY)):8.0f} µs")
    print(f"{seat_map.seat_count:,} seats{'':17}calls     mean      p50      p99      max")
    sell(seat_map, seats, "pairs, from full to empty", [2])
    sell(seat_map, seats, "mixed, from full to empty", SIZES)
    for share in (0.5, 0.8, 0.95, 0.98):
        free = scattered(seats, 1 - share)
        churn(seat_map, free, f"pairs, {share:.0%} full", [2])
        churn(seat_map, free, f"mixed, {share:.0%} full", SIZES)
    singles = scattered(seats[::2], 0.1)
    for size in (1, 2, 4):
        sell(seat_map, singles, f"parties of {size}, singles left", [size])
    churn(seat_map, singles, "mixed, singles left", SIZES)


def plain_room(count: int) -> SeatMap:
    """Return sections of 50 rows of 40 seats, side by side."""
    sections: list[Section] = []
    for number in range(count // 2_000):
        rows = [
            Row(
                str(row),
                f"Row {row}",
                tuple(_seat(number * 2_000 + row * 40, number, row, at) for at in range(40)),
            )
            for row in range(50)
        ]
        sections.append(Section(f"s{number}", f"S{number}", number, Point(number * 60 + 19.5, 0), tuple(rows)))
    return SeatMap("Plain", (PriceCategory("any", "Any"),), tuple(sections))


def _seat(first: int, section: int, row: int, at: int) -> Seat:
    return Seat(
        first + at, f"k{first + at}", str(at), f"{section}, {row}, {at}", section * 60.0 + at, float(row), "any"
    )


def scattered(seats: Iterable[int], share: float) -> list[int]:
    """Return about this share of seats, the same every time."""
    chance = random.Random(7)
    return [seat for seat in seats if chance.random() < share]


def sell(seat_map: SeatMap, free: Iterable[int], name: str, sizes: list[int]) -> None:
    """Sell until a party is refused."""
    chooser, chance, times = warm(seat_map, free, sizes), random.Random(1), list[float]()
    while True:
        count = chance.choice(sizes)
        begun = cpu_seconds()
        seats = chooser.choose(count, wish=ANY)
        if seats is None:
            break
        chooser.take(seats)
        times.append(cpu_seconds() - begun)
    show(name, times)


def churn(seat_map: SeatMap, free: Iterable[int], name: str, sizes: list[int]) -> None:
    """Hold seats of which nine in ten parties give theirs back later, so that the fill stays about the same."""
    chooser, chance, times = warm(seat_map, free, sizes), random.Random(1), list[float]()
    held: list[list[int]] = []
    for _ in range(4_000):
        count = chance.choice(sizes)
        begun = cpu_seconds()
        seats = chooser.choose(count, wish=ANY)
        if seats is not None:
            chooser.take(seats)
            held.append(seats)
        times.append(cpu_seconds() - begun)
        if len(held) > 50:
            chooser.give_back(held.pop(chance.randrange(len(held))))
    show(name, times)


def warm(seat_map: SeatMap, free: Iterable[int], sizes: list[int]) -> SeatChooser:
    """Return a chooser whose heaps are built."""
    chooser = SeatChooser(seat_map, free)
    for count in sorted(set(sizes)):
        chooser.choose(count, wish=ANY)
    gc.collect()
    return chooser


def timed(call: Callable[[], object]) -> float:
    """Return the microseconds of one call."""
    begun = cpu_seconds()
    call()
    return (cpu_seconds() - begun) * 1e6


def show(name: str, times: list[float]) -> None:
    """Print one line of numbers."""
    ordered = sorted(one * 1e6 for one in times)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    print(f"{name:28}{len(ordered):8,}{fmean(ordered):9.1f}{p50:9.1f}{p99:9.1f}{ordered[-1]:9.0f}")


if __name__ == "__main__":
    main()
