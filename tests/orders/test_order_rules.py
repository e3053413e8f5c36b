"""What an order is made of, decided without a database."""

from typing import cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.core.errors import Invalid
from fullhouse.orders.lines import lines_of, total_of, units_of
from fullhouse.orders.rules import NEXT, OrderStatus, before, check_contact, choice_needed
from fullhouse.reservations.rules import HeldItem, HeldSeat


def item(quantity: int, *, seats: bool = False, price_minor: int = 100, category: str = "Stalls") -> HeldItem:
    return HeldItem(
        ticket_type_id=uuid4(),
        ticket_type="Adult",
        price_category_id=uuid4(),
        price_category=category,
        area=None,
        quantity=quantity,
        seats=tuple(HeldSeat(n, f"A-{n}", f"Row A, {n}") for n in range(quantity)) if seats else (),
        price_minor=price_minor,
        quota_ids=(uuid4(), uuid4()),
    )


def fields_of(error: Invalid) -> list[str]:
    errors = cast("list[dict[str, str]]", error.fields["errors"])
    return [one["field"] for one in errors]


items_strategy = st.lists(
    st.builds(item, st.integers(1, 9), seats=st.booleans(), price_minor=st.integers(0, 10**11)), min_size=1, max_size=5
)


@given(items_strategy)
def test_units_and_lines_lose_nothing_of_what_was_held(items: list[HeldItem]) -> None:
    lines, units = lines_of(items), units_of(items)
    assert total_of(lines) == sum(one.total_minor for one in items) == sum(unit.item.price_minor for unit in units)
    assert [line.line_number for line in lines] == list(range(1, len(items) + 1))
    assert len(units) == sum(one.quantity for one in items)
    assert len({(unit.line_number, unit.number) for unit in units}) == len(units)
    seats = [seat for one in items for seat in one.seats]
    assert [unit.seat for unit in units if unit.seat] == seats


def test_a_line_is_described_by_ticket_type_and_category() -> None:
    assert lines_of([item(1)])[0].description == "Adult, Stalls"
    assert lines_of([item(1, category="Adult")])[0].description == "Adult"


def test_states_come_only_from_where_the_contract_says() -> None:
    assert before(OrderStatus.PAID) == ["cancelled", "expired", "paid_unseated", "pending"]
    assert before(OrderStatus.CANCELLED) == ["pending"]
    assert before(OrderStatus.EXPIRED) == ["pending"]
    assert before(OrderStatus.REFUNDED) == ["paid", "paid_unseated"]
    assert before(OrderStatus.PENDING) == []
    assert not NEXT[OrderStatus.REFUNDED]


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("ana.souza@example.com", "Ana Souza"),
        ("a+b@sub.example.co", "李小龍"),
        ("  ana@example.com ", "  Ana "),
        ("o'neil@example.com", ""),
        ("a" * 242 + "@example.com", "x" * 200),
    ],
)
def test_good_contacts_are_taken_trimmed(email: str, name: str) -> None:
    contact = check_contact(email, name)
    assert (contact.email, contact.name) == (email.strip(), name.strip())


def test_names_are_composed() -> None:
    assert check_contact("a@example.com", "Joa\u0303o").name == "Jo\u00e3o"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "ana@localhost",
        "ana@exa mple.com",
        "ana@example.com\nBcc: x@example.com",
        "ana@-example.com",
        "ana..b@example.com",
        "a" * 250 + "@example.com",
        "ana@example.com, eva@example.com",
    ],
)
def test_bad_addresses_are_refused_by_name(email: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_contact(email, "Ana")
    assert fields_of(refused.value) == ["email"]


@pytest.mark.parametrize("name", ["a\nb", "a\x00", "x" * 201, "a\u2028b", "a\x1b[0m", "\ud800"])
def test_bad_names_are_refused_by_name(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_contact("ana@example.com", name)
    assert fields_of(refused.value) == ["name"]


def test_the_short_form_says_what_there_is_to_choose() -> None:
    ids = [UUID(int=1), UUID(int=2)]
    error = choice_needed("session_id", "session", ids)
    assert error.fields["choices"] == [str(one) for one in ids]
    assert error.fields["errors"] == [{"field": "session_id", "message": "Say which session."}]
