"""What is quickly known of each lane of a pool: its longest run of free seats and the cost of its nearest one.

When a house fills, most sizes fit nowhere any more. These facts are kept once for all sizes, so that a party of four
need not look for four seats, nor for two and two, where only single seats are left.
"""

from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.pool import Pool
from fullhouse.seating.choosing.windows import closest, longest_run


class LaneFacts:
    """Facts about the lanes of a pool. ``catch_up`` before reading them."""

    def __init__(self, free: FreeSeats, pool: Pool) -> None:
        """Look at all lanes once."""
        self._free = free
        self._pool = pool
        self._members = frozenset(pool.lanes)
        self._ideal = {lane: free.room.lanes[lane].ideal_start(1) for lane in pool.lanes}
        self._lanes_by_run = [0] * (free.room.longest + 1)
        self._log_end = 0
        self.free_count = 0
        """How many eligible seats are free."""
        self._counts = [0] * len(free.lanes)
        self.longest = [0] * len(free.lanes)
        """The longest run of eligible seats of each lane; 0 for lanes outside the pool."""
        self.nearest = [0] * len(free.lanes)
        """What the nearest eligible seat of each lane costs, or less; meaningless where there is none."""
        self._look_at_all()

    def catch_up(self) -> None:
        """Look again at the lanes that changed since the last time."""
        if self._log_end == self._free.log_end:
            return
        changed = self._free.changed_since(self._log_end)
        if changed is None:
            self._look_at_all()
            return
        self._log_end = self._free.log_end
        for lane in changed & self._members:
            self._look(lane)

    def fits(self, count: int) -> bool:
        """Say whether any lane has a run of ``count`` seats."""
        return any(self._lanes_by_run[count:])

    def fits_in_two(self, count: int) -> bool:
        """Say whether two runs could hold a party; if not, none do."""
        return any(self._lanes_by_run[(count + 1) // 2 :])

    def _look_at_all(self) -> None:
        """Look at every lane anew."""
        self._log_end = self._free.log_end
        for lane in self._members:
            self._look(lane)

    def _look(self, lane: int) -> None:
        """Note the facts of one lane."""
        seats = self._free.lanes[lane] & self._pool.ordinary[lane]
        count = seats.bit_count()
        self.free_count += count - self._counts[lane]
        self._counts[lane] = count
        longest = longest_run(seats)
        if longest != self.longest[lane]:
            self._lanes_by_run[self.longest[lane]] -= 1
            self._lanes_by_run[longest] += 1
            self.longest[lane] = longest
        if seats:
            self.nearest[lane] = self._nearest_cost(lane, seats)

    def _nearest_cost(self, lane: int, seats: int) -> int:
        """Return the cost of the nearest of some seats, or less."""
        row = self._free.room.lanes[lane]
        ideal = self._ideal[lane]
        sums = row.sums
        if not row.bowl:
            return sums[ideal + 1] - sums[ideal]
        below, above = closest(seats, ideal)
        if above < 0:
            return sums[below + 1] - sums[below]
        cost = sums[above + 1] - sums[above]
        return min(cost, sums[below + 1] - sums[below]) if below >= 0 else cost
