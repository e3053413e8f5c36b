"""The decision, against a model that is obviously right: nothing is ever promised twice."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fullhouse.events.rules import EventStatus, PriceCategory, SessionStatus, SessionTerms, TicketType
from fullhouse.reservations.decide import Granted, Refused, Request, decide, undo
from fullhouse.reservations.rules import BestAvailable, ItemRequest, NotOnSale, SeatState
from fullhouse.reservations.stock import Counter, Stock
from fullhouse.seating.rules import Area, Point, Row, Seat, SeatMap, Section
from fullhouse.seating.rules import PriceCategory as MapCategory

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
STALLS, BALCONY, STANDING = UUID(int=1), UUID(int=2), UUID(int=3)
ADULT, CHILD = UUID(int=11), UUID(int=12)
STALLS_QUOTA, BALCONY_QUOTA, STANDING_QUOTA = UUID(int=21), UUID(int=22), UUID(int=23)
CHILD_QUOTA, AREA_QUOTA = UUID(int=24), UUID(int=25)


def room() -> SeatMap:
    """Two rows of six in the stalls, one row of six in the balcony, and an area of five."""

    def row(start: int, name: str, category: str) -> Row:
        seats = tuple(
            Seat(start + i, f"{name}-{i + 1}", str(i + 1), f"Row {name}, {i + 1}", float(i), float(start), category)
            for i in range(6)
        )
        return Row(name, name, seats)

    stalls = Section("stalls", "Stalls", 1, Point(2.5, 0.0), (row(0, "A", "stalls"), row(6, "B", "stalls")))
    balcony = Section("balcony", "Balcony", 2, Point(2.5, 12.0), (row(12, "C", "balcony"),))
    categories = (MapCategory("stalls", "Stalls"), MapCategory("balcony", "Balcony"), MapCategory("floor", "Floor"))
    return SeatMap("Room", categories, (stalls, balcony), (Area("pit", "Pit", 5, "floor"),))


def stock_of_room() -> Stock:
    counters = {
        STALLS_QUOTA: Counter("category", "stalls", 12, 0, 0, 0),
        BALCONY_QUOTA: Counter("category", "balcony", 6, 0, 0, 0),
        STANDING_QUOTA: Counter("category", "floor", 5, 0, 0, 0),
        CHILD_QUOTA: Counter("ticket_type", "child", 4, 0, 0, 0),
        AREA_QUOTA: Counter("area", "pit", 5, 0, 0, 0),
    }
    return Stock(1, counters, room(), bytes(18))


def terms(**changes: object) -> SessionTerms:
    fields: dict[str, object] = {
        "organization_id": UUID(int=90),
        "event_id": UUID(int=91),
        "event_name": "A play",
        "event_status": EventStatus.PUBLISHED,
        "location": "",
        "session_id": UUID(int=92),
        "session_name": "",
        "status": SessionStatus.SCHEDULED,
        "currency": "EUR",
        "time_zone": "Europe/Lisbon",
        "starts_at": NOW + timedelta(days=10),
        "ends_at": None,
        "sales_from": None,
        "sales_until": None,
        "entry_from": None,
        "entry_until": None,
        "gates": (),
        "seat_map_id": UUID(int=93),
        "hold_seconds": 900,
        "per_order_max": 8,
        "release_on_decline": False,
        "reseat_equal": True,
        "price_categories": (
            PriceCategory(STALLS, "stalls", "Stalls", STALLS_QUOTA),
            PriceCategory(BALCONY, "balcony", "Balcony", BALCONY_QUOTA),
            PriceCategory(STANDING, "floor", "Floor", STANDING_QUOTA),
        ),
        "ticket_types": (
            TicketType(ADULT, "Adult", "", None, True, (), {STALLS: 5000, BALCONY: 3000, STANDING: 2000}),
            TicketType(CHILD, "Child", "", None, True, (CHILD_QUOTA,), {BALCONY: 1500, STANDING: 1000}),
        ),
    }
    return SessionTerms(**(fields | changes))  # pyright: ignore[reportArgumentType]


ticket_types = st.sampled_from([ADULT, CHILD])
seat_names = st.sampled_from([f"{row}-{number}" for row in "ABC" for number in range(1, 7)])


def asked(ticket_type_id: UUID, **item: Any) -> ItemRequest:
    """Ask in one way: what is not given is not made up either."""
    return ItemRequest(ticket_type_id, **item)


items = st.one_of(
    st.builds(asked, ticket_types, quantity=st.integers(1, 6), area=st.sampled_from([None, "pit", "Pit", "no"])),
    st.builds(asked, ticket_types, seats=st.lists(seat_names, min_size=1, max_size=4).map(tuple)),
    st.builds(
        asked,
        ticket_types,
        best_available=st.builds(
            BestAvailable, st.integers(1, 7), section=st.sampled_from([None, "stalls", "Balcony", "nowhere"])
        ),
    ),
)
batches = st.lists(st.lists(items, min_size=1, max_size=3), min_size=1, max_size=12)


def requests(batch: list[list[ItemRequest]]) -> list[Request]:
    return [Request(UUID(int=1000 + number), tuple(wanted)) for number, wanted in enumerate(batch)]


@given(batches)
def test_nothing_is_promised_twice_and_every_counter_adds_up(batch: list[list[ItemRequest]]) -> None:
    stock = stock_of_room()
    decisions = decide(stock, terms(), requests(batch), NOW)
    granted = [one for one in decisions if isinstance(one, Granted)]
    seats = [seat.index for one in granted for item in one.places.items for seat in item.seats]
    assert len(seats) == len(set(seats))
    assert {i for i, state in enumerate(stock.seat_states) if state == SeatState.HELD} == set(seats)
    for quota_id, counter in stock.counters.items():
        drawn = sum(item.quantity for one in granted for item in one.places.items if quota_id in item.quota_ids)
        assert counter.held == drawn
        assert counter.available >= 0


@given(batches)
def test_each_request_gets_all_that_it_asked_for_or_nothing(batch: list[list[ItemRequest]]) -> None:
    decisions = decide(stock_of_room(), terms(), requests(batch), NOW)
    for one in decisions:
        if isinstance(one, Granted):
            asked = sum(item.place_count for item in one.request.items)
            assert sum(item.quantity for item in one.places.items) == asked
            assert one.places.total_minor == sum(item.price_minor * item.quantity for item in one.places.items)


@given(batches)
def test_undo_leaves_the_stock_as_it_was(batch: list[list[ItemRequest]]) -> None:
    stock = stock_of_room()
    undo(stock, decide(stock, terms(), requests(batch), NOW))
    assert bytes(stock.seat_states) == bytes(18)
    assert all(counter.held == 0 for counter in stock.counters.values())
    again = decide(stock, terms(), requests(batch), NOW)
    fresh = decide(stock_of_room(), terms(), requests(batch), NOW)
    assert [type(one) for one in again] == [type(one) for one in fresh]


@given(batches)
def test_the_same_stock_and_requests_have_the_same_decision(batch: list[list[ItemRequest]]) -> None:
    first = decide(stock_of_room(), terms(), requests(batch), NOW)
    second = decide(stock_of_room(), terms(), requests(batch), NOW)
    assert [one.places.items for one in first if isinstance(one, Granted)] == [
        one.places.items for one in second if isinstance(one, Granted)
    ]


def test_a_large_request_that_cannot_be_met_does_not_block_a_smaller_one() -> None:
    stock = stock_of_room()
    large = Request(UUID(int=1), (ItemRequest(ADULT, quantity=6, area="pit"),))
    small = Request(UUID(int=2), (ItemRequest(ADULT, quantity=5, area="pit"),))
    first, second = decide(stock, terms(), [large, small], NOW)
    assert isinstance(first, Refused)
    assert first.short
    assert isinstance(second, Granted)


def test_seats_of_two_price_categories_are_priced_apart() -> None:
    wanted = (ItemRequest(ADULT, seats=("A-1", "C-1", "A-2")),)
    (decision,) = decide(stock_of_room(), terms(), [Request(UUID(int=1), wanted)], NOW)
    assert isinstance(decision, Granted)
    assert [(item.price_category, item.quantity, item.price_minor) for item in decision.places.items] == [
        ("Stalls", 2, 5000),
        ("Balcony", 1, 3000),
    ]
    assert decision.places.total_minor == 13000


def test_best_available_takes_the_middle_of_the_first_row_together() -> None:
    wanted = (ItemRequest(ADULT, best_available=BestAvailable(2, section="stalls")),)
    (decision,) = decide(stock_of_room(), terms(), [Request(UUID(int=1), wanted)], NOW)
    assert isinstance(decision, Granted)
    assert [seat.key for seat in decision.places.items[0].seats] == ["A-3", "A-4"]


def test_every_seat_can_be_sold_by_best_available() -> None:
    stock = stock_of_room()
    wanted = [Request(UUID(int=n), (ItemRequest(ADULT, best_available=BestAvailable(3)),)) for n in range(7)]
    decisions = decide(stock, terms(), wanted, NOW)
    assert [isinstance(one, Granted) for one in decisions] == [True] * 6 + [False]


def test_outside_the_sales_window_everything_is_refused() -> None:
    request = Request(UUID(int=1), (ItemRequest(ADULT, quantity=1, area="pit"),))
    for closed in (
        terms(sales_from=NOW + timedelta(seconds=1)),
        terms(sales_until=NOW),
        terms(event_status=EventStatus.DRAFT),
        terms(status=SessionStatus.CANCELLED),
        terms(starts_at=NOW),
    ):
        (decision,) = decide(stock_of_room(), closed, [request], NOW)
        assert isinstance(decision, Refused)
        assert isinstance(decision.error, NotOnSale)
    (decision,) = decide(stock_of_room(), terms(sales_from=NOW), [request], NOW)
    assert isinstance(decision, Granted)


def test_what_is_remembered_ends_with_its_terms_and_with_the_stock() -> None:
    stock, asked = stock_of_room(), (ItemRequest(ADULT, quantity=2, area="pit"),)
    dear = (TicketType(ADULT, "Adult", "", None, True, (), {STANDING: 9000}),)
    prices = [
        [
            one.places.total_minor
            for one in decide(stock, each, [Request(UUID(int=7), asked)], NOW)
            if isinstance(one, Granted)
        ]
        for each in (terms(), terms(ticket_types=dear))
    ]
    assert prices == [[4000], [18000]]
    (refused,) = decide(stock, terms(ticket_types=dear), [Request(UUID(int=7), asked)], NOW)
    assert isinstance(refused, Refused)
    assert refused.short
    assert stock.counters[STANDING_QUOTA].held == 4
