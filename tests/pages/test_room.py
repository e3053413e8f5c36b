"""The places among which a buyer chooses: how many are left in each, and what they cost there."""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from fullhouse.catalogue.availability import pack_seats
from fullhouse.web.pages.shop.room import unpack_seats


@given(st.lists(st.integers(0, 3), max_size=70))
def test_seats_are_read_as_they_were_packed(states: list[int]) -> None:
    unpacked = unpack_seats(b64encode(pack_seats(states)).decode())
    assert list(unpacked[: len(states)]) == states
    assert set(unpacked[len(states) :]) <= {0}
