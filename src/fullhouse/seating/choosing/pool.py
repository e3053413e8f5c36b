"""The seats that one kind of buyer may have: those of some price categories, in one section or in all."""

from dataclasses import dataclass

from fullhouse.seating.choosing.room import Lane, Room


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Masks by lane: what a buyer may have of ordinary and of accessible seats, free or not.

    ``lanes`` are those with ordinary ones.
    """

    ordinary: tuple[int, ...]
    accessible: tuple[int, ...]
    lanes: frozenset[int]

    def count_ordinary(self, free: list[int]) -> int:
        """Count the ordinary seats that are free."""
        return sum((free[lane] & self.ordinary[lane]).bit_count() for lane in self.lanes)


def pool_for(room: Room, categories: frozenset[str] | None, section: str | None) -> Pool:
    """Return the pool of a ticket type's price categories (None for all) and a section's key (None for all)."""
    number = None if section is None else room.section_by_key.get(section, -1)
    allowed = [_allowed(lane, categories) if number in {None, lane.section} else 0 for lane in room.lanes]
    return Pool(
        ordinary=tuple(mask & lane.ordinary for lane, mask in zip(room.lanes, allowed, strict=True)),
        accessible=tuple(mask & lane.accessible for lane, mask in zip(room.lanes, allowed, strict=True)),
        lanes=frozenset(n for n, lane in enumerate(room.lanes) if allowed[n] & lane.ordinary),
    )


def ideal_starts(room: Room, pool: Pool, size: int) -> list[int]:
    """Return by lane the start of the cheapest window of this size; 0 for lanes outside the pool."""
    return [row.ideal_start(size) if lane in pool.lanes else 0 for lane, row in enumerate(room.lanes)]


def _allowed(lane: Lane, categories: frozenset[str] | None) -> int:
    """Return the seats of a lane in these price categories."""
    mask = 0
    for category, seats in lane.categories.items():
        if categories is None or category in categories:
            mask |= seats
    return mask
