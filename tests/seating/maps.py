"""Small seat maps for tests, and a chooser that is slow and obviously right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import hypot

from fullhouse.seating.choosing.room import room_of
from fullhouse.seating.rules import Point, PriceCategory, Row, Seat, SeatMap, SeatWish, Section

STEADY_ROW = 12


@dataclass
class Drawn:
    """A map drawn as text, and the seats that are free in the drawing."""

    seat_map: SeatMap
    free: set[int] = field(default_factory=set[int])


def draw(*sections: str, ranks: Sequence[int] = (), best_x: float | None = None) -> Drawn:
    """Make a map from drawings, one text a section and one line a row.

    ``o`` a free seat, ``x`` a taken one, ``A`` and ``a`` accessible and free or taken, ``v`` and ``w`` a free and a
    taken seat of the price category vip, a space an aisle. An accessible seat's companions are its ordinary
    neighbours. The best place is in the middle of the first row, or at ``best_x``.
    """
    seats: list[Seat] = []
    free: set[int] = set()
    made: list[Section] = []
    for number, text in enumerate(sections):
        rows: list[Row] = []
        lines = text.strip("\n").split("\n")
        for y, line in enumerate(lines):
            first = len(seats)
            for x, mark in enumerate(line):
                if mark == " ":
                    continue
                key = f"{number}-{y}-{x}"
                beside = tuple(
                    f"{number}-{y}-{at}" for at in (x - 1, x + 1) if 0 <= at < len(line) and line[at] in "oxvw"
                )
                if mark in "oAv":
                    free.add(len(seats))
                seats.append(
                    Seat(
                        index=len(seats),
                        key=key,
                        number=str(x + 1),
                        label=f"Section {number}, Row {y}, {x + 1}",
                        x=float(x),
                        y=float(y + 100 * number),
                        price_category="vip" if mark in "vw" else "plain",
                        accessible=mark in "Aa",
                        companions=beside if mark in "Aa" else (),
                    )
                )
            rows.append(Row(str(y), f"Row {y}", tuple(seats[first:])))
        middle = (max(len(line) for line in lines) - 1) / 2
        best = Point(middle if best_x is None else best_x, float(100 * number))
        rank = ranks[number] if ranks else number
        made.append(Section(f"s{number}", f"Section {number}", rank, best, tuple(rows)))
    categories = (PriceCategory("plain", "Plain"), PriceCategory("vip", "Vip"))
    return Drawn(SeatMap("Drawn", categories, tuple(made)), free)


class SlowChooser:
    """Tries everything by looking at coordinates: neighbours are seats of one row whose x differ by one."""

    def __init__(self, seat_map: SeatMap, free: Iterable[int]) -> None:
        self.seat_map = seat_map
        self.free = set(free)
        self.pitch = room_of(seat_map).pitch
        self.row_of = {
            seat.index: (number, at)
            for number, section in enumerate(seat_map.sections)
            for at, row in enumerate(section.rows)
            for seat in row.seats
        }
        self.at = {(*self.row_of[seat.index], seat.x): seat.index for seat in seat_map.seats}

    def eligible(self, wish: SeatWish, *, accessible: bool = False) -> set[int]:
        seats = self.seat_map.seats
        return {
            seat
            for seat in self.free
            if seats[seat].accessible is accessible
            and (wish.categories is None or seats[seat].price_category in wish.categories)
            and (wish.section is None or self.seat_map.section_of_seat[seat].key == wish.section)
        }

    def neighbours(self, seat: int) -> set[int]:
        x = self.seat_map.seats[seat].x
        places = ((*self.row_of[seat], x + step) for step in (-1, 1))
        return {self.at[place] for place in places if place in self.at}

    def left_alone(self, taken: Iterable[int]) -> int:
        """Count the free seats that have no free neighbour any more, but had one."""
        left = self.free - set(taken)
        return sum(1 for seat in left if self.neighbours(seat) & self.free and not self.neighbours(seat) & left)

    def cost(self, seats: Iterable[int]) -> int:
        total = 0
        for index in seats:
            seat, best = self.seat_map.seats[index], self.seat_map.section_of_seat[index].best_place
            total += round(hypot(seat.x - best.x, seat.y - best.y) * 256 / self.pitch)
        return total

    def windows(self, eligible: set[int], size: int) -> list[list[int]]:
        found: list[list[int]] = []
        for seat in sorted(eligible):
            x = self.seat_map.seats[seat].x
            window = [self.at.get((*self.row_of[seat], x + step), -1) for step in range(size)]
            if all(one in eligible for one in window):
                found.append(window)
        return found

    def worth(self, window: list[int]) -> tuple[int, int, int]:
        """Return what decides between windows: rank, seats left alone, cost."""
        rank = self.seat_map.section_of_seat[window[0]].rank
        return rank, self.left_alone(window), self.cost(window)

    def splits(self, eligible: set[int], size: int) -> list[tuple[list[int], list[int]]]:
        """Return all pairs of windows in one row or in neighbouring rows of a section."""
        found: list[tuple[list[int], list[int]]] = []
        for first in range(1, size):
            for one in self.windows(eligible, first):
                for other in self.windows(eligible - set(one), size - first):
                    (section, row), (section_2, row_2) = self.row_of[one[0]], self.row_of[other[0]]
                    if section == section_2 and 0 <= row_2 - row <= 1:
                        found.append((one, other))
        return found

    def groups(self, seats: Iterable[int]) -> list[list[int]]:
        """Return the runs of seats side by side."""
        rest = set(seats)
        found: list[list[int]] = []
        while rest:
            group = {rest.pop()}
            while reached := {one for seat in group for one in self.neighbours(seat)} & rest:
                group |= reached
                rest -= reached
            found.append(sorted(group))
        return sorted(found)
