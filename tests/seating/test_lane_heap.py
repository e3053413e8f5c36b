"""What the heaps of best available rely on: bounds that are never above the offer, and facts that follow the seats."""

from hypothesis import given, settings
from hypothesis import strategies as st
from seating.maps import draw

from fullhouse.seating.choosing.finders import Split, Together
from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.lane_facts import LaneFacts
from fullhouse.seating.choosing.pool import pool_for
from fullhouse.seating.choosing.room import room_of

ROOMS = st.lists(st.text("oox v", min_size=12, max_size=12).map(lambda line: "x" + line[1:]), min_size=1, max_size=4)


@given(ROOMS, st.integers(2, 7), st.floats(-3, 20), st.sampled_from([None, frozenset({"plain"})]))
@settings(max_examples=300, deadline=None)
def test_no_offer_is_below_its_bound(
    lines: list[str], count: int, best_x: float, categories: frozenset[str] | None
) -> None:
    drawn = draw("\n".join([*lines, "x" * 12]), best_x=best_x)
    room = room_of(drawn.seat_map)
    free = FreeSeats(room, drawn.free)
    pool = pool_for(room, categories, None)
    lanes = sorted(pool.lanes)
    for finder in (Together(free, pool, count), Split(free, pool, LaneFacts(free, pool), count)):
        for lane, bound in zip(lanes, finder.bounds(lanes), strict=True):
            offer = None if bound is None else finder.offer(lane, bound)
            if isinstance(finder, Split) and bound is None:
                assert finder.offer(lane, 0) is None
            if offer is not None and bound is not None:
                assert bound <= offer.key


@given(ROOMS, st.lists(st.lists(st.integers(0, 40), max_size=9), max_size=6))
@settings(max_examples=200, deadline=None)
def test_facts_follow_the_seats(lines: list[str], changes: list[list[int]]) -> None:
    drawn = draw("\n".join([*lines, "x" * 12]))
    room = room_of(drawn.seat_map)
    free = FreeSeats(room, drawn.free)
    pool = pool_for(room, None, None)
    facts = LaneFacts(free, pool)
    for change in changes:
        seats = {seat % drawn.seat_map.seat_count for seat in change}
        taken = {seat for seat in seats if free.is_free(seat)}
        free.take(taken)
        free.give_back(seats - taken)
        facts.catch_up()
        fresh = LaneFacts(free, pool)
        assert (facts.longest, facts.free_count) == (fresh.longest, fresh.free_count)
        assert (facts.seats, facts.free_in_lane) == (fresh.seats, fresh.free_in_lane)
        assert facts.free_in_section == [facts.free_count] == [sum(facts.free_in_lane)]
        for count in range(1, 13):
            fits = any(run >= count for run in facts.longest)
            assert facts.fits(count) is fits
            assert facts.fits_in_two(count) or not fits


def test_facts_that_were_not_read_for_long_are_found_anew() -> None:
    drawn = draw("oooooooooooo\nxxxxxxxxxxxx")
    room = room_of(drawn.seat_map)
    free = FreeSeats(room, drawn.free)
    facts = LaneFacts(free, pool_for(room, None, None))
    for _ in range(5_000):
        free.take([0])
        free.give_back([0])
    free.take(range(12))
    assert facts.longest == [12, 0]
    facts.catch_up()
    assert (facts.longest, facts.free_count, facts.fits(1)) == ([0, 0], 0, False)
