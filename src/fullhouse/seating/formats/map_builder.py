"""Puts a seat map together while a file is read, and checks what only the whole can show: keys, references, limits."""

from fullhouse.seating.rules import (
    SEATS_MAX,
    Area,
    Landmark,
    Place,
    Point,
    PriceCategory,
    Problems,
    Row,
    Seat,
    SeatMap,
    Section,
)


class MapBuilder:
    """Takes the parts of a map in map order, each with its place in the file."""

    def __init__(self, problems: Problems) -> None:
        """Note problems there."""
        self._problems = problems
        self._categories: dict[str, PriceCategory] = {}
        self._sections: list[Section] = []
        self._areas: list[Area] = []
        self._landmarks: list[Landmark] = []
        self._rows: list[Row] = []
        self._row_keys: set[str] = set()
        self._seats: list[Seat] = []
        self._seat_keys: dict[str, int] = {}
        self._seat_places: list[Place] = []
        self._section_of_seat: list[int] = []
        self._part_keys: set[str] = set()

    def add_category(self, place: Place, category: PriceCategory) -> None:
        """Add a price category."""
        if category.key in self._categories:
            self._problems.add(place, f"the price category {category.key!r} is there already")
        self._categories[category.key] = category

    def check_category(self, place: Place, key: str) -> None:
        """Note a price category that is not there. Categories come before what refers to them."""
        if key and key not in self._categories:
            self._problems.add(place, f"there is no price category {key!r}")

    def begin_section(self, place: Place, key: str) -> None:
        """Begin a section; its rows follow, then ``end_section``."""
        self._check_part(place, key)
        self._rows = []
        self._row_keys = set()

    def end_section(self, key: str, name: str, rank: int, best_place: Point | None) -> None:
        """End a section. Without a best place it is the middle of the first row."""
        if self._rows:
            best = middle_of(self._rows[0].seats) if best_place is None else best_place
            self._sections.append(Section(key, name, rank, best, tuple(self._rows)))

    def add_row(self, place: Place, key: str, name: str, seats: list[tuple[Place, Seat]]) -> None:
        """Add a row with its seats; their indexes are given by ``next_index``."""
        if key in self._row_keys:
            self._problems.add(place, f"the row {key!r} is there already in this section")
        self._row_keys.add(key)
        for seat_place, seat in seats:
            if seat.key in self._seat_keys:
                self._problems.add(seat_place, f"the seat {seat.key!r} is there already")
            self._seat_keys[seat.key] = seat.index
            self._seat_places.append(seat_place)
            self._seats.append(seat)
            self._section_of_seat.append(len(self._sections))
        if len(self._seats) > SEATS_MAX >= len(self._seats) - len(seats):
            self._problems.add(place, f"a map may have {SEATS_MAX:,} seats at most")
        self._rows.append(Row(key, name, tuple(seat for _, seat in seats)))

    @property
    def next_index(self) -> int:
        """The index of the first seat of the next row."""
        return len(self._seats)

    def add_area(self, place: Place, area: Area) -> None:
        """Add a standing area."""
        self._check_part(place, area.key)
        self._areas.append(area)

    def add_landmark(self, landmark: Landmark) -> None:
        """Add something that is only drawn."""
        self._landmarks.append(landmark)

    def finish(self, name: str) -> SeatMap:
        """Return the map. Raises ``SeatMapInvalid`` with every problem that was noted."""
        if not self._seats and not self._areas and not self._problems.count:
            self._problems.add((), "has no seats and no areas")
        for place, seat in zip(self._seat_places, self._seats, strict=True):
            if seat.companions:
                self._check_companions(place, seat)
        self._problems.raise_if_any()
        return SeatMap(
            name=name,
            price_categories=tuple(self._categories.values()),
            sections=tuple(self._sections),
            areas=tuple(self._areas),
            landmarks=tuple(self._landmarks),
        )

    def _check_part(self, place: Place, key: str) -> None:
        """Note a key that another section or area has."""
        if key in self._part_keys:
            self._problems.add(place, f"a section or area {key!r} is there already")
        self._part_keys.add(key)

    def _check_companions(self, place: Place, seat: Seat) -> None:
        """Note companions that cannot be companions."""
        here = (*place, "companions")
        if not seat.accessible:
            self._problems.add(here, "only an accessible seat has companions")
        for at, key in enumerate(seat.companions):
            companion = self._seat_keys.get(key)
            if companion is None:
                self._problems.add((*here, at), f"there is no seat {key!r}")
            elif self._seats[companion].accessible:
                self._problems.add((*here, at), "is itself an accessible seat")
            elif self._section_of_seat[companion] != self._section_of_seat[seat.index]:
                self._problems.add((*here, at), "is in another section")
            elif key in seat.companions[:at]:
                self._problems.add((*here, at), "is there already")


def middle_of(seats: tuple[Seat, ...]) -> Point:
    """Return the middle of some seats."""
    return Point(sum(seat.x for seat in seats) / len(seats), sum(seat.y for seat in seats) / len(seats))


def default_label(section: str | None, row: str, number: str) -> str:
    """Return the label of a seat that brings none: ``Balcony, Row C, 11``, without the section where there is one."""
    return f"{row}, {number}" if section is None else f"{section}, {row}, {number}"
