"""Notices come in signed, over their raw bytes, and are stored once; nothing else gets in."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from harness.sale import NOTICE_KEY, Sale, make_sale
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.infra import system
from fullhouse.infra.outbox import this_cause
from fullhouse.infra.postgres import Pool
from fullhouse.payments.deliver_simulated_notices import deliver_notices_of
from fullhouse.payments.providers.port import SentNotice
from fullhouse.payments.providers.signature import SIGNATURE_HEADER, check_signature, sign
from fullhouse.payments.providers.simulated import SIMULATED
from fullhouse.payments.receive_webhook import receive_webhook
from fullhouse.payments.rules import NoticeRefused

NOON = datetime(2027, 5, 1, 12, tzinfo=UTC)
OLD_KEY = b"the key before it was rotated"


@given(raw=st.binary(max_size=200), at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_what_was_signed_is_accepted(raw: bytes, at: datetime) -> None:
    check_signature(raw, sign(raw, at, NOTICE_KEY), [NOTICE_KEY], at)


@given(raw=st.binary(min_size=1, max_size=200), position=st.integers(0), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(raw: bytes, position: int, bit: int) -> None:
    header = sign(raw, NOON, NOTICE_KEY)
    changed = bytearray(raw)
    changed[position % len(raw)] ^= 1 << bit
    with pytest.raises(NoticeRefused):
        check_signature(bytes(changed), header, [NOTICE_KEY], NOON)


@given(st.text(max_size=200))
def test_any_other_header_is_refused(header: str) -> None:
    with pytest.raises(NoticeRefused):
        check_signature(b"{}", header, [NOTICE_KEY], NOON)


@pytest.mark.parametrize(("seconds", "fits"), [(0, True), (299, True), (-299, True), (302, False), (-302, False)])
def test_a_signature_is_good_for_five_minutes(seconds: int, fits: bool) -> None:
    header = sign(b"{}", NOON, NOTICE_KEY)
    now = NOON + timedelta(seconds=seconds)
    if fits:
        check_signature(b"{}", header, [NOTICE_KEY], now)
        return
    with pytest.raises(NoticeRefused, match="300 seconds"):
        check_signature(b"{}", header, [NOTICE_KEY], now)


def test_an_old_key_is_good_while_keys_rotate_and_not_after() -> None:
    header = sign(b"{}", NOON, OLD_KEY)
    check_signature(b"{}", header, [NOTICE_KEY, OLD_KEY], NOON)
    with pytest.raises(NoticeRefused):
        check_signature(b"{}", header, [NOTICE_KEY], NOON)
    with pytest.raises(NoticeRefused):
        check_signature(b"{}", None, [NOTICE_KEY], NOON)


def test_the_instant_is_signed_too() -> None:
    header = sign(b"{}", NOON, NOTICE_KEY)
    moved = header.replace(str(int(NOON.timestamp())), str(int(NOON.timestamp()) + 1))
    with pytest.raises(NoticeRefused):
        check_signature(b"{}", moved, [NOTICE_KEY], NOON)


async def receive(sale: Sale, raw: bytes, key: bytes = NOTICE_KEY) -> bool:
    now = system.now()
    headers = {SIGNATURE_HEADER: sign(raw, now, key)}
    return await receive_webhook(sale.pool, system.make_id, (SIMULATED, sale.simulated), SentNotice(raw, headers), now)


def notice(payment_id: object, notice_id: str = "n1", status: str = "captured") -> bytes:
    charge = {"reference": "r", "payment_id": str(payment_id), "status": status, "amount_minor": 5000}
    return json.dumps({"id": notice_id, "charge": charge}).encode()


async def stored(sale: Sale) -> int:
    return await sale.pool.fetchval(
        "SELECT count(*) FROM payment_notices WHERE organization_id = $1", sale.made.organization_id
    )


async def test_the_same_notice_at_once_from_everywhere_is_stored_once(pool: Pool) -> None:
    sale = await make_sale(pool)
    payment = await sale.pay((await sale.order()).order.order_id, "late")
    raw = notice(payment.payment_id)
    assert sorted(await asyncio.gather(*(receive(sale, raw) for _ in range(8)))) == [False] * 7 + [True]
    assert await stored(sale) == 1
    assert len(await sale.messages("payment.notice_received")) == 1


async def test_what_is_not_signed_by_the_provider_is_not_stored(pool: Pool) -> None:
    sale = await make_sale(pool)
    payment = await sale.pay((await sale.order()).order.order_id, "late")
    with pytest.raises(NoticeRefused):
        await receive(sale, notice(payment.payment_id), b"a key that somebody guessed")
    assert await stored(sale) == 0
    assert await sale.messages("payment.notice_received") == []


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"\xff", b'{"id": 1, "charge": {}}', b'{"charge": 3}'])
async def test_what_cannot_be_read_is_refused(pool: Pool, raw: bytes) -> None:
    sale = await make_sale(pool)
    with pytest.raises(NoticeRefused, match="cannot be read"):
        await receive(sale, raw)
    assert await stored(sale) == 0


async def test_a_notice_about_nothing_of_ours_is_taken_and_forgotten(pool: Pool) -> None:
    sale = await make_sale(pool)
    assert not await receive(sale, notice(uuid4()))
    assert await stored(sale) == 0


async def test_a_provider_tells_only_of_its_own_payments(pool: Pool) -> None:
    sale = await make_sale(pool)
    payment = await sale.pay((await sale.order()).order.order_id, "late")
    raw, now = notice(payment.payment_id), system.now()
    headers = {SIGNATURE_HEADER: sign(raw, now, NOTICE_KEY)}
    assert not await receive_webhook(pool, system.make_id, ("another", sale.simulated), SentNotice(raw, headers), now)
    assert await stored(sale) == 0


async def test_the_notices_of_the_simulated_provider_are_delivered_once_when_due(pool: Pool) -> None:
    sale = await make_sale(pool)
    payment = await sale.pay((await sale.order()).order.order_id, "late")

    async def deliver() -> int:
        started = {payment.provider_key: this_cause()}
        return await deliver_notices_of(pool, system.make_id, sale.providers, payment.organization_id, started)

    assert await deliver() == 0
    await sale.make_due(payment)
    assert await deliver() == 1
    assert await deliver() == 0
    await pool.execute("UPDATE simulated_charges SET notified_at = NULL WHERE payment_id = $1", payment.payment_id)
    await asyncio.gather(*(deliver() for _ in range(4)))
    assert await stored(sale) == 1
