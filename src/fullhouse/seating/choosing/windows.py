"""Windows of free seats in one lane, by bit operations: a lane is one integer with a bit for each free seat.

``free`` has every free seat of a lane, ``eligible`` those of them that this buyer may have. A window is good when it
leaves no single seat alone: no free seat that loses its last free neighbour.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from fullhouse.seating.choosing.room import Lane

_SIZES_KEPT: Final = 1_024


class Window(NamedTuple):
    """Seats side by side: how many single seats they leave alone, what they cost, and where they begin."""

    orphans: int
    cost: int
    start: int


@lru_cache(maxsize=_SIZES_KEPT)
def shifts_for(size: int) -> tuple[int, ...]:
    """Return the shifts that turn free seats into starts of windows: 1, 2, 1 for five seats."""
    shifts: list[int] = []
    width = 1
    while width < size:
        shift = min(width, size - width)
        shifts.append(shift)
        width += shift
    return tuple(shifts)


def window_starts(eligible: int, size: int) -> int:
    """Return a bit for each position where ``size`` eligible seats begin."""
    starts = eligible
    for shift in shifts_for(size):
        starts &= starts >> shift
    return starts


def longest_run(eligible: int) -> int:
    """Return how many eligible seats lie side by side at most."""
    if not eligible:
        return 0
    length = 1
    while eligible := eligible & (eligible >> 1):
        length += 1
    return length


def fewest_orphans(free: int, starts: int, size: int) -> tuple[int, int]:
    """Return the fewest single seats that a window can leave alone (0, 1 or 2), and the starts that leave so few."""
    left = (free << 1) & ~(free << 2)
    right = (free >> size) & ~(free >> (size + 1))
    good = starts & ~(left | right)
    if good:
        return 0, good
    good = starts & ~(left & right)
    return (1, good) if good else (2, starts)


def closest_start(starts: int, target: int) -> int:
    """Return the start nearest to a position, the lower one of two equally near. There must be a start."""
    if not starts & (starts - 1):
        return starts.bit_length() - 1
    target = max(target, 0)
    below = (starts & ((2 << target) - 1)).bit_length() - 1
    above = starts >> (target + 1)
    if not above:
        return below
    steps = (above & -above).bit_length()
    return below if below >= 0 and target - below <= steps else target + steps


def cheapest_start(lane: Lane, starts: int, size: int, ideal: int) -> int:
    """Return the start of the cheapest window; of equally cheap ones one near the ideal start. There must be a start.

    ``ideal`` is ``lane.ideal_start(size)``.
    """
    if not starts & (starts - 1):
        return starts.bit_length() - 1
    sums = lane.sums
    if not lane.bowl:
        return min(bits(starts), key=lambda at: sums[at + size] - sums[at])
    below = (starts & ((2 << ideal) - 1)).bit_length() - 1
    rest = starts >> (ideal + 1)
    if not rest:
        return below
    above = ideal + (rest & -rest).bit_length()
    if below >= 0 and sums[below + size] - sums[below] <= sums[above + size] - sums[above]:
        return below
    return above


def best_window(lane: Lane, free: int, eligible: int, size: int, ideal: int) -> Window | None:
    """Return the window of this size that leaves the fewest seats alone, and of those the cheapest."""
    starts = window_starts(eligible, size)
    if not starts:
        return None
    orphans, starts = fewest_orphans(free, starts, size)
    start = cheapest_start(lane, starts, size, ideal)
    return Window(orphans, lane.sums[start + size] - lane.sums[start], start)


def bits(mask: int) -> list[int]:
    """Return the positions of the bits that are set, lowest first."""
    positions: list[int] = []
    while mask:
        low = mask & -mask
        positions.append(low.bit_length() - 1)
        mask ^= low
    return positions


def runs(mask: int) -> list[tuple[int, int]]:
    """Return start and length of each run of seats side by side, from low to high."""
    found: list[tuple[int, int]] = []
    while mask:
        start = (mask & -mask).bit_length() - 1
        rest = mask >> start
        length = (rest ^ (rest + 1)).bit_length() - 1
        found.append((start, length))
        mask ^= ((1 << length) - 1) << start
    return found


def square_distance(lane: Lane, position: int, x: float, y: float) -> float:
    """Return the squared distance of a seat to a point."""
    return (lane.xs[position] - x) ** 2 + (lane.ys[position] - y) ** 2
