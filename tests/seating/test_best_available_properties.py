"""The chooser against one that tries everything, on drawn rooms of every shape."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from seating.maps import STEADY_ROW, Drawn, SlowChooser, draw

from fullhouse.seating.best_available import SeatChooser, SeatWish

CATEGORIES = st.sampled_from([None, None, frozenset({"plain"}), frozenset({"vip"}), frozenset({"plain", "vip"})])


def lines(marks: str) -> st.SearchStrategy[str]:
    block = st.text(marks, min_size=1, max_size=9)
    return st.lists(block, min_size=1, max_size=3).map(" ".join)


@st.composite
def rooms(draw_from: st.DrawFn, marks: str = "oooxxvwAa", sections: int = 3, rows: int = 3) -> Drawn:
    # A plain row makes the distance between neighbours plain, so that a gap is an aisle in any drawing.
    texts = [
        "\n".join([*rows_drawn, "x" * STEADY_ROW])
        for rows_drawn in draw_from(
            st.lists(st.lists(lines(marks), min_size=1, max_size=rows), min_size=1, max_size=sections)
        )
    ]
    ranks = draw_from(st.lists(st.integers(0, 2), min_size=len(texts), max_size=len(texts)))
    return draw(*texts, ranks=ranks, best_x=draw_from(st.none() | st.integers(-3, 30).map(float)))


@given(rooms(), st.integers(1, 7), CATEGORIES, st.sampled_from([None, None, "s0", "s1"]))
@settings(max_examples=400, deadline=None)
def test_every_choice_is_as_good_as_trying_everything(
    drawn: Drawn, count: int, categories: frozenset[str] | None, section: str | None
) -> None:
    wish = SeatWish(categories, section)
    slow = SlowChooser(drawn.seat_map, drawn.free)
    eligible = slow.eligible(wish)
    chosen = SeatChooser(drawn.seat_map, drawn.free).choose(count, wish=wish)
    if len(eligible) < count:
        assert chosen is None
        return
    assert chosen is not None
    assert len(set(chosen)) == len(chosen) == count
    assert set(chosen) <= eligible
    windows = slow.windows(eligible, count)
    if windows:
        assert sorted(chosen) in windows
        assert slow.worth(sorted(chosen)) == min(slow.worth(window) for window in windows)
        return
    splits = slow.splits(eligible, count)
    if splits:
        found = [(one, other) for one, other in splits if set(one) | set(other) == set(chosen)]
        assert found
        if any(len(one) > 1 and len(other) > 1 for one, other in splits):
            assert any(len(one) > 1 and len(other) > 1 for one, other in found)


@given(rooms("ooxAa"), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_who_asks_for_accessible_seats_gets_them(drawn: Drawn, count: int, accessible: int, companions: int) -> None:
    accessible = min(accessible, count)
    companions = min(companions, count - accessible)
    wish = SeatWish(None, None, accessible, companions)
    slow = SlowChooser(drawn.seat_map, drawn.free)
    spots = slow.eligible(wish, accessible=True)
    ordinary = slow.eligible(wish)
    chosen = SeatChooser(drawn.seat_map, drawn.free).choose(count, wish=wish)
    if len(spots) < accessible or len(ordinary) < count - accessible:
        assert chosen is None
        return
    assert chosen is not None
    assert len(set(chosen)) == len(chosen) == count
    assert set(chosen[:accessible]) <= spots
    assert set(chosen[accessible:]) <= ordinary
    if accessible == 1:
        best = max(len(slow.neighbours(spot) & ordinary) for spot in spots)
        beside = slow.neighbours(chosen[0]) & ordinary
        assert len(beside & set(chosen[1 : 1 + companions])) == min(companions, best)


@given(rooms("oooxx", rows=4), st.lists(st.integers(1, 6), max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_room_sells_to_the_last_seat(drawn: Drawn, parties: list[int]) -> None:
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    left = set(drawn.free)
    for party in [*parties, *[1] * len(left)]:
        chosen = chooser.choose(party, wish=SeatWish(None))
        assert (chosen is None) == (party > len(left))
        if chosen is not None:
            assert set(chosen) <= left
            chooser.take(chosen)
            left -= set(chosen)
    assert left == set()


class Sale(RuleBasedStateMachine):
    """However seats come and go, the chooser answers like one that was opened just now."""

    @initialize(drawn=rooms("oooxxvwA", sections=2, rows=4))
    def open(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.free = set(drawn.free)
        self.chooser = SeatChooser(drawn.seat_map, drawn.free)

    @rule(count=st.integers(1, 6), categories=CATEGORIES, section=st.sampled_from([None, "s0"]), take=st.booleans())
    def choose(self, count: int, categories: frozenset[str] | None, section: str | None, *, take: bool) -> None:
        wish = SeatWish(categories, section)
        chosen = self.chooser.choose(count, wish=wish)
        assert chosen == SeatChooser(self.drawn.seat_map, self.free).choose(count, wish=wish)
        if chosen is not None and take:
            self.chooser.take(chosen)
            self.free -= set(chosen)

    @rule(data=st.data())
    def take_some(self, data: st.DataObject) -> None:
        seats = data.draw(st.lists(st.integers(0, self.drawn.seat_map.seat_count - 1), max_size=6))
        self.chooser.take(seats)
        self.free -= set(seats)

    @rule(data=st.data())
    def give_some_back(self, data: st.DataObject) -> None:
        seats = data.draw(st.lists(st.integers(0, self.drawn.seat_map.seat_count - 1), max_size=6))
        self.chooser.give_back(seats)
        self.free |= set(seats)

    @precondition(lambda self: self.drawn.seat_map.seat_count > 0)
    @rule(accessible=st.integers(1, 2), others=st.integers(0, 2))
    def choose_accessible(self, accessible: int, others: int) -> None:
        wish = SeatWish(None, None, accessible, others)
        chosen = self.chooser.choose(accessible + others, wish=wish)
        assert chosen == SeatChooser(self.drawn.seat_map, self.free).choose(accessible + others, wish=wish)

    @invariant()
    def knows_what_is_free(self) -> None:
        if hasattr(self, "chooser"):
            seats = range(self.drawn.seat_map.seat_count)
            assert {seat for seat in seats if self.chooser.is_free(seat)} == self.free


TestSale = Sale.TestCase
TestSale.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
