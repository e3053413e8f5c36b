"""Ticket codes: whatever is scanned is read exactly, or refused."""

import re
from uuid import UUID

import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.tickets.code import (
    CODE_LENGTH,
    ForgedCode,
    MalformedCode,
    TicketClaims,
    checking_key,
    derive_signing_key,
    make_code,
    read_code,
    verify_code,
)

ORGANIZATION = UUID("01890000-0000-7000-8000-000000000001")
KEY = derive_signing_key(b"k" * 32, ORGANIZATION, 1)
PUBLIC = KEY.public_key().public_bytes_raw()
CLAIMS = TicketClaims(
    key_id=1,
    generation=1,
    event_id=UUID("01890000-0000-7000-8000-0000000000e1"),
    session_id=UUID("01890000-0000-7000-8000-0000000000d1"),
    ticket_id=UUID("01890000-0000-7000-8000-0000000000c1"),
)
CODE = make_code(CLAIMS, KEY)

claims = st.builds(
    TicketClaims,
    key_id=st.integers(1, 65535),
    generation=st.integers(1, 32767),
    event_id=st.uuids(),
    session_id=st.uuids(),
    ticket_id=st.uuids(),
)


def refused(text: str) -> bool:
    return all(refused_by(key, text) for key in (PUBLIC, KEY))


def refused_by(key: bytes | Ed25519PrivateKey, text: str) -> bool:
    try:
        verify_code(read_code(text), key)
    except (MalformedCode, ForgedCode):
        return True
    return False


@given(claims)
def test_what_was_signed_is_what_is_read(made: TicketClaims) -> None:
    text = make_code(made, KEY)
    assert re.fullmatch(r"FH1[A-Z2-7]{186}", text)
    assert len(text) == CODE_LENGTH
    assert read_code(text).key_id == made.key_id
    assert verify_code(read_code(text), PUBLIC) == made
    assert verify_code(read_code(text), KEY) == made


def test_a_code_never_changes() -> None:
    assert make_code(CLAIMS, KEY) == CODE
    assert CODE == (
        "FH1AAAQAAIBREAAAAAAOAAIAAAAAAAAAAHBAGEQAAAAABYABAAAAAAAAAAA2EAYSAAAAAAHAAEAAAAAAAAAADA7YG7HST3JCTDFUX67UJJVPVIL"
        "VQZRO2U6T3E64DY43GCRC3U6ERBJZ6Q3VN4J3RJWYDPRCVU4IEGJW7EFC6EWD5PKM5ZB6O4AIAHTAE"
    )
    assert derive_signing_key(b"k" * 32, ORGANIZATION, 1).public_key().public_bytes_raw() == PUBLIC


def test_every_flipped_bit_of_the_text_is_refused() -> None:
    data = CODE.encode()
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert refused(flipped.decode("latin-1")), bit


def test_every_other_character_anywhere_is_refused() -> None:
    for place in range(len(CODE)):
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567018=_- é":
            if other != CODE[place]:
                assert refused(CODE[:place] + other + CODE[place + 1 :]), (place, other)


@given(
    st.text(max_size=400) | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=186, max_size=186).map("FH1".__add__)
)
def test_anything_else_is_refused_and_never_crashes(text: str) -> None:
    assert refused(text)


@given(st.integers(0, CODE_LENGTH - 1), st.text(max_size=5))
def test_a_code_cut_or_lengthened_is_malformed(cut: int, more: str) -> None:
    with pytest.raises(MalformedCode):
        read_code(CODE[:cut])
    with pytest.raises(MalformedCode):
        read_code(CODE + more + " ")
    with pytest.raises(MalformedCode):
        read_code(CODE.lower())


@pytest.mark.parametrize(
    "other",
    [
        derive_signing_key(b"K" * 32, ORGANIZATION, 1),
        derive_signing_key(b"k" * 32, ORGANIZATION, 2),
        derive_signing_key(b"k" * 32, UUID(int=7), 1),
        Ed25519PrivateKey.generate(),
    ],
    ids=["other server", "other key id", "other organization", "stranger"],
)
def test_a_code_signed_by_another_key_is_forged(other: Ed25519PrivateKey) -> None:
    for key in (PUBLIC, KEY):
        with pytest.raises(ForgedCode):
            verify_code(read_code(make_code(CLAIMS, other)), key)


def test_claims_cannot_be_moved_to_another_ticket() -> None:
    read = read_code(CODE)
    other = TicketClaims(1, 2, CLAIMS.event_id, CLAIMS.session_id, CLAIMS.ticket_id)
    with pytest.raises(ForgedCode):
        verify_code(type(read)(other, read.signature), PUBLIC)


def test_codes_are_checked_by_the_private_key_where_it_is_this_servers() -> None:
    assert isinstance(checking_key(b"k" * 32, ORGANIZATION, 1, PUBLIC), Ed25519PrivateKey)
    assert checking_key(b"K" * 32, ORGANIZATION, 1, PUBLIC) == PUBLIC
    assert checking_key(b"k" * 32, ORGANIZATION, 2, PUBLIC) == PUBLIC


def test_a_public_key_that_is_none_is_no_way_in() -> None:
    with pytest.raises(ForgedCode):
        verify_code(read_code(CODE), bytes(32))


def test_the_qr_picture_of_a_code_is_small() -> None:
    barcode = zxingcpp.create_barcode(CODE, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    assert barcode.to_image(add_quiet_zones=False).shape[0] == 49
