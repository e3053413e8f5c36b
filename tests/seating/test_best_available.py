"""What a party gets, in drawings."""

import pytest
from seating.maps import Drawn, SlowChooser, draw

from fullhouse.seating.best_available import SeatChooser, SeatWish
from fullhouse.seating.rules import Point, PriceCategory, Row, Seat, SeatMap, Section

ANY = SeatWish(None)


def labels(drawn: Drawn, count: int, wish: SeatWish = ANY) -> list[str] | None:
    chosen = SeatChooser(drawn.seat_map, drawn.free).choose(count, wish=wish)
    return None if chosen is None else [drawn.seat_map.seats[seat].key for seat in chosen]


def test_a_pair_gets_the_middle_of_the_first_row() -> None:
    assert labels(draw("oooooooo\noooooooo"), 2) == ["0-0-3", "0-0-4"]


def test_the_best_place_of_the_section_decides() -> None:
    assert labels(draw("oooooooo\noooooooo", best_x=0), 3) == ["0-0-0", "0-0-1", "0-0-2"]


def test_a_party_sits_together_in_a_worse_row_rather_than_apart_in_the_best() -> None:
    assert labels(draw("ooxoo\nxxxxx\nxoooo"), 3) in (["0-2-1", "0-2-2", "0-2-3"], ["0-2-2", "0-2-3", "0-2-4"])


def test_no_single_seat_is_left_alone() -> None:
    assert labels(draw("ooooo\nooooo"), 2) == ["0-0-0", "0-0-1"]
    assert labels(draw("oooxxxxxxxxx\nxxxxxxxxxoox"), 2) == ["0-1-9", "0-1-10"]


def test_a_seat_is_left_alone_where_that_cannot_be_avoided() -> None:
    assert labels(draw("xxoooxx"), 2) == ["0-0-2", "0-0-3"]


def test_one_seat_left_alone_is_better_than_two() -> None:
    assert labels(draw("xxoooxxooooxx", best_x=3), 1) == ["0-0-2"]
    assert labels(draw("xxoooxx"), 1) == ["0-0-2"]


def test_a_lone_buyer_gets_the_seat_that_was_left_alone() -> None:
    assert labels(draw("xooxox", best_x=1), 1) == ["0-0-4"]


def test_an_aisle_is_not_together() -> None:
    assert labels(draw("oo oo oo oo\nxxxxxxxxooo"), 3) == ["0-1-8", "0-1-9", "0-1-10"]


def test_a_better_section_comes_first_and_together_comes_before_it() -> None:
    assert labels(draw("ooooxx", "oooooo"), 2) == ["0-0-2", "0-0-3"]
    assert labels(draw("ooooxx", "oooooo", ranks=(2, 1)), 2) == ["1-0-2", "1-0-3"]
    assert labels(draw("oxoxox", "oooooo"), 2) == ["1-0-2", "1-0-3"]


def test_sections_of_one_rank_compare_by_distance() -> None:
    assert labels(draw("oooxxxxxxooo", "xxxxooooxxxx", ranks=(1, 1)), 2) == ["1-0-4", "1-0-5"]


def test_a_wished_section_is_kept_to() -> None:
    drawn = draw("oooo", "oooo")
    assert labels(drawn, 2, SeatWish(None, section="s1")) == ["1-0-0", "1-0-1"]
    assert labels(drawn, 5, SeatWish(None, section="s1")) is None
    assert labels(drawn, 1, SeatWish(None, section="nowhere")) is None


def test_only_seats_with_a_price_are_given() -> None:
    drawn = draw("oovvvvoo\noooooooo")
    assert labels(drawn, 2, SeatWish(frozenset({"vip"}))) == ["0-0-3", "0-0-4"]
    assert labels(drawn, 3, SeatWish(frozenset({"plain"}))) == ["0-1-2", "0-1-3", "0-1-4"]
    assert labels(drawn, 5, SeatWish(frozenset({"vip"}))) is None
    assert labels(drawn, 1, SeatWish(frozenset())) is None


def test_a_party_too_large_for_any_row_is_split_over_neighbouring_rows() -> None:
    assert labels(draw("xooxxxxx\nxooxxxxx\nxxxxxxxx\nxxxxxooo"), 4) == ["0-0-1", "0-0-2", "0-1-1", "0-1-2"]


def test_nobody_is_alone_in_a_split_if_that_can_be_had() -> None:
    chosen = labels(draw("ooox\nxxxo\nxxxx\nooxx\nooxx", best_x=3), 4)
    assert chosen == ["0-3-0", "0-3-1", "0-4-0", "0-4-1"]


def test_three_and_one_in_a_row_are_found() -> None:
    assert labels(draw("oooxoxxxxxxxxx"), 4) == ["0-0-0", "0-0-1", "0-0-2", "0-0-4"]


def test_scattered_seats_are_taken_near_each_other() -> None:
    chosen = labels(draw("oxoxxxxxxxxxxxo\nxoxxxxxxxxxxxxx\noxxxxxxxxxxxxxo"), 4)
    assert chosen is not None
    assert sorted(chosen) == ["0-0-0", "0-0-2", "0-1-1", "0-2-0"]


def test_a_party_is_never_refused_while_enough_seats_remain() -> None:
    drawn = draw("oxox", "xxoo\noxox", "xxxo")
    assert len(drawn.free) == 7
    chosen = SeatChooser(drawn.seat_map, drawn.free).choose(7, wish=ANY)
    assert chosen is not None
    assert set(chosen) == drawn.free
    assert labels(drawn, 8) is None


def test_accessible_seats_are_kept_for_those_who_ask() -> None:
    drawn = draw("AAAoAA")
    assert labels(drawn, 1) == ["0-0-3"]
    assert labels(drawn, 2) is None
    assert labels(draw("AA"), 1) is None


def test_who_asks_gets_an_accessible_seat_with_the_companion_beside() -> None:
    assert labels(draw("oooooo\nAoooox"), 2, SeatWish(None, accessible=1, companions=1)) == ["0-1-0", "0-1-1"]
    assert labels(draw("oAx\nxAo", best_x=0), 1, SeatWish(None, accessible=1)) == ["0-0-1"]


def test_a_seat_whose_companion_is_free_comes_first() -> None:
    drawn = draw("xAxxxxxx\nooooooAo")
    assert labels(drawn, 2, SeatWish(None, accessible=1, companions=1)) == ["0-1-6", "0-1-5"]


def test_the_rest_of_the_party_sits_beside_the_accessible_seat() -> None:
    chosen = labels(draw("oooooooo\nAooooooo"), 4, SeatWish(None, accessible=1, companions=1))
    assert chosen is not None
    assert chosen[:2] == ["0-1-0", "0-1-1"]
    assert set(chosen[2:]) <= {"0-0-0", "0-0-1", "0-1-2", "0-1-3"}


def test_companions_of_other_accessible_seats_are_left_to_them() -> None:
    drawn = draw("AoAoxxxxoo")
    assert labels(drawn, 2, SeatWish(None, accessible=1)) in (["0-0-0", "0-0-8"], ["0-0-2", "0-0-8"])
    assert labels(draw("AoAoxx"), 3, SeatWish(None, accessible=1)) is not None


def test_two_accessible_seats_are_near_each_other() -> None:
    drawn = draw("Aoxxxxxxxxxx\nxxxxxxxxxxAo\nxxxxxxxxxxAo")
    chosen = labels(drawn, 4, SeatWish(None, accessible=2, companions=2))
    assert chosen is not None
    assert set(chosen) == {"0-1-10", "0-1-11", "0-2-10", "0-2-11"}


def test_too_few_accessible_or_other_seats_refuse() -> None:
    drawn = draw("Aooo")
    assert labels(drawn, 2, SeatWish(None, accessible=2)) is None
    assert labels(drawn, 5, SeatWish(None, accessible=1)) is None
    assert labels(draw("AAAo"), 3, SeatWish(None, accessible=1, companions=1)) is None


@pytest.mark.parametrize(
    ("count", "wish"),
    [
        (0, ANY),
        (-1, ANY),
        (1, SeatWish(None, accessible=2)),
        (1, SeatWish(None, accessible=-1)),
        (2, SeatWish(None, accessible=1, companions=2)),
        (2, SeatWish(None, accessible=1, companions=-1)),
    ],
)
def test_an_impossible_party_is_an_error(count: int, wish: SeatWish) -> None:
    drawn = draw("oooo")
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    with pytest.raises(ValueError, match="a party of"):
        chooser.choose(count, wish=wish)


def test_choosing_takes_nothing() -> None:
    drawn = draw("oooooooo")
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    first = chooser.choose(3, wish=ANY)
    assert chooser.choose(3, wish=ANY) == first
    assert all(chooser.is_free(seat) for seat in drawn.free)


def test_taking_twice_and_giving_back_twice_change_nothing() -> None:
    drawn = draw("oooooooo")
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    chooser.take([3, 3, 4])
    chooser.take([3])
    assert [chooser.is_free(seat) for seat in range(8)] == [True, True, True, False, False, True, True, True]
    chooser.give_back([3, 4])
    chooser.give_back([3])
    assert chooser.choose(2, wish=ANY) == [3, 4]


def test_a_seat_that_the_map_does_not_have_is_an_error() -> None:
    drawn = draw("oo")
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    with pytest.raises(IndexError):
        chooser.take([2])


def test_rows_listed_odd_then_even_sit_as_they_are_drawn() -> None:
    xs = [1, 3, 5, 2, 4, 6]
    seats = tuple(Seat(at, f"k{x}", str(x), f"Seat {x}", float(x), 0.0, "plain") for at, x in enumerate(xs))
    section = Section("s", "S", 0, Point(1.5, 0.0), (Row("r", "Row", seats),))
    seat_map = SeatMap("Odd", (PriceCategory("plain", "Plain"),), (section,))
    chosen = SeatChooser(seat_map, range(6)).choose(2, wish=ANY)
    assert chosen is not None
    assert [seat_map.seats[seat].key for seat in chosen] == ["k1", "k2"]


def test_a_round_table_sits_as_it_is_listed() -> None:
    ring = [(0, -1), (0.87, -0.5), (0.87, 0.5), (0, 1), (-0.87, 0.5), (-0.87, -0.5)]
    seats = tuple(Seat(at, f"k{at}", str(at), f"Seat {at}", x, y, "plain") for at, (x, y) in enumerate(ring))
    section = Section("s", "S", 0, Point(0.0, 1.0), (Row("r", "Table", seats),))
    seat_map = SeatMap("Table", (PriceCategory("plain", "Plain"),), (section,))
    assert SeatChooser(seat_map, range(6)).choose(2, wish=ANY) == [2, 3]


def test_a_sold_out_row_by_row_sale_leaves_no_single_seats() -> None:
    drawn = draw("\n".join(["o" * 12] * 10))
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    slow = SlowChooser(drawn.seat_map, drawn.free)
    for party in [2, 3, 4, 2, 5, 2, 3, 2, 4, 6, 2, 2, 3, 5] * 2:
        chosen = chooser.choose(party, wish=ANY)
        assert chosen is not None
        assert slow.left_alone(chosen) == 0
        assert len(slow.groups(chosen)) == 1
        chooser.take(chosen)
        slow.free -= set(chosen)


def test_a_heap_that_was_not_asked_for_long_is_right_again() -> None:
    drawn = draw("\n".join(["o" * 12] * 10))
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    assert chooser.choose(4, wish=ANY) is not None
    for turn in range(5_000):
        chooser.take([turn % 120])
        chooser.give_back([turn % 120])
    taken = [seat for seat in range(120) if seat % 5]
    chooser.take(taken)
    assert chooser.choose(4, wish=ANY) == SeatChooser(drawn.seat_map, drawn.free - set(taken)).choose(4, wish=ANY)


def test_more_kinds_of_wishes_than_are_remembered_are_answered() -> None:
    drawn = draw("oooooooo\nvvvvvvvv")
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    for number in range(100):
        wish = SeatWish(frozenset({"vip", f"other-{number}"}))
        for count in range(1, 5):
            chosen = chooser.choose(count, wish=wish)
            assert chosen is not None
            assert all(drawn.seat_map.seats[seat].price_category == "vip" for seat in chosen)


def test_a_window_that_leaves_one_seat_alone_is_better_than_one_that_leaves_two() -> None:
    assert labels(draw("ovvoxovvxxx", best_x=1.5), 2, SeatWish(frozenset({"vip"}))) == ["0-0-6", "0-0-7"]


def test_a_seat_that_comes_back_in_the_next_row_is_seen_by_the_row_before() -> None:
    drawn = draw("xoxxxxxxx\nxxxxxxxox\nxxxxxxxxx", best_x=1)
    chooser = SeatChooser(drawn.seat_map, drawn.free)
    seats = drawn.seat_map.index_by_key
    assert chooser.choose(2, wish=ANY) == [seats["0-0-1"], seats["0-1-7"]]
    chooser.give_back([seats["0-1-1"]])
    assert chooser.choose(2, wish=ANY) == [seats["0-0-1"], seats["0-1-1"]]


def test_a_row_that_bends_away_from_the_best_place_is_looked_at_whole() -> None:
    seats = tuple(Seat(x, f"k{x}", str(x), f"Seat {x}", float(x), 4.0 - abs(x - 4), "plain") for x in range(9))
    section = Section("s", "S", 0, Point(3.5, -5.0), (Row("r", "Row", seats),))
    seat_map = SeatMap("Bent", (PriceCategory("plain", "Plain"),), (section,))
    assert SeatChooser(seat_map, [3, 4, 7, 8]).choose(2, wish=ANY) == [7, 8]
    assert SeatChooser(seat_map, range(9)).choose(2, wish=ANY) == [0, 1]
