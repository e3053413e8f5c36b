"""What is quickly known of each lane of a pool: its free seats, the longest run of them, and the cost of the nearest.

When a house fills, most sizes fit nowhere any more. These facts are kept once for all sizes, so that a party of four
need not look for four seats, nor for two and two, where only single seats are left.
"""

from collections.abc import Iterable

from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.pool import Pool, ideal_starts
from fullhouse.seating.choosing.windows import cheapest_start, longest_run


class LaneFacts:
    """Facts about the lanes of a pool. ``catch_up`` before reading them."""

    def __init__(self, free: FreeSeats, pool: Pool) -> None:
        """Look at all lanes once."""
        lanes = len(free.lanes)
        self._free = free
        self._pool = pool
        self.ideal = ideal_starts(free.room, pool, 1)
        """Where each lane of the pool is best."""
        self._lanes_by_run = [0] * (free.room.longest + 1)
        self._longest_of_all = 0
        self._log_end = free.log_end
        self.free_count = 0
        """How many eligible seats are free."""
        self.free_in_section = [0] * len(free.room.lanes_of_section)
        """How many of them each section has."""
        self.free_in_lane = [0] * lanes
        """How many of them each lane has."""
        self.seats = [0] * lanes
        """The eligible seats of each lane that are free, a bit for each; 0 for lanes outside the pool."""
        self.longest = [0] * lanes
        """The longest run of them in each lane."""
        self.nearest = [0] * lanes
        """What the nearest of them costs in each lane, or less; meaningless where there is none."""
        self._look_at(pool.lanes)

    def catch_up(self) -> None:
        """Look again at the lanes that changed since the last time."""
        free = self._free
        if self._log_end == free.log_end:
            return
        changed = free.changed_since(self._log_end)
        self._log_end = free.log_end
        self._look_at(self._pool.lanes if changed is None else changed & self._pool.lanes)

    def fits(self, count: int) -> bool:
        """Say whether any lane has a run of ``count`` seats."""
        return self._longest_of_all >= count

    def fits_in_two(self, count: int) -> bool:
        """Say whether two runs could hold a party; if not, none do."""
        return self._longest_of_all >= (count + 1) // 2

    def _look_at(self, lanes: Iterable[int]) -> None:
        """Note the facts of some lanes, where they are new."""
        free, allowed, seats_of, counts = self._free.lanes, self._pool.ordinary, self.seats, self.free_in_lane
        longest_of, by_run, nearest, ideals = self.longest, self._lanes_by_run, self.nearest, self.ideal
        in_section, rows = self.free_in_section, self._free.room.lanes
        for lane in lanes:
            seats = free[lane] & allowed[lane]
            if seats == seats_of[lane]:
                continue
            seats_of[lane] = seats
            count = seats.bit_count()
            more = count - counts[lane]
            counts[lane] = count
            self.free_count += more
            row = rows[lane]
            in_section[row.section] += more
            longest = longest_run(seats) if seats & (seats >> 1) else count and 1
            if longest != longest_of[lane]:
                by_run[longest_of[lane]] -= 1
                by_run[longest] += 1
                longest_of[lane] = longest
                self._longest_of_all = max(longest, self._longest_of_all)
            if seats:
                ideal = ideals[lane]
                if count == 1:
                    at = seats.bit_length() - 1
                else:
                    at = cheapest_start(row, seats, 1, ideal) if row.bowl else ideal
                nearest[lane] = row.sums[at + 1] - row.sums[at]
        while self._longest_of_all and not by_run[self._longest_of_all]:
            self._longest_of_all -= 1
