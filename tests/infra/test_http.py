"""Wire models, cursors and idempotency, as routes use them."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fullhouse.core.errors import Conflict, Unavailable
from fullhouse.infra.http import (
    ApiModel,
    Currency,
    CursorMalformed,
    Email,
    Flag,
    Instant,
    KeptRefusal,
    Line,
    Name,
    PriceMinor,
    Quantity,
    Text,
    WallClock,
    claim_for,
    decode_cursor,
    encode_cursor,
    idempotent,
    unstorable,
)
from fullhouse.infra.idempotency import IdempotencyInFlight, IdempotencyKeyReused
from fullhouse.infra.postgres import Connection, Pool, connection

MOMENT = datetime(2027, 5, 1, 18, 0, tzinfo=UTC)


def accepts(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Quantity, [1, 1000], [0, -1, 1001, 1.0, "1", True, None, 10**30]),
        (PriceMinor, [0, 10**12 - 1], [-1, 10**12, 1.5, "0"]),
        (Flag, [True, False], [1, 0, "true", None]),
        (Name, ["a", "Ünï", " padded "], ["", "  ", "a\nb", "a\x1bb", "a\u2028b", "x" * 201, 1]),
        (Line, ["", "a"], ["a\tb", "x" * 201]),
        (Text, ["", "two\nlines"], ["x" * 10_001]),
        (Currency, ["EUR", "JPY", "KWD"], ["eur", "XXX", "EURO", "E1R", "", 978]),
        (Instant, ["2027-05-01T18:00:00Z", "2027-05-01t18:00:00.5+02:00"], []),
        (Instant, [], ["2027-05-01", "2027-05-01T18:00:00", "2027-05-01T18:00Z", 1, "٢٠٢٧-05-01T18:00:00Z"]),
        (Instant, [], ["2027-02-30T18:00:00Z", "1969-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00"]),
        (WallClock, ["2027-05-01T20:00", "2027-05-01T20:00:30"], ["2027-05-01T20:00Z", "2027-05-01", "20:00", 5]),
    ],
)
def test_types_have_bounds(kind: Any, good: list[object], bad: list[object]) -> None:
    assert [value for value in good if not accepts(kind, value)] == []
    assert [value for value in bad if accepts(kind, value)] == []


@pytest.mark.parametrize("good", ["ana@example.org", "a.b+c@sub.example.org", "o'hara@example.org"])
def test_mail_addresses(good: str) -> None:
    assert accepts(Email, good)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ana",
        "@example.org",
        "ana@",
        "ana@example",
        "a b@example.org",
        "ana@-x.org",
        "a..b@example.org",
        "ana@x_y.org",
        "ana@example.org\nBcc: x@example.org",
        "Ana <ana@example.org>",
        "a@b.org,c@d.org",
        "x" * 250 + "@example.org",
    ],
)
def test_what_is_no_mail_address(bad: str) -> None:
    assert not accepts(Email, bad)


def test_instants_are_kept_in_utc() -> None:
    assert TypeAdapter(Instant).validate_python("2027-05-01T20:00:00+02:00") == MOMENT
    assert TypeAdapter(Instant).dump_json(MOMENT) == b'"2027-05-01T18:00:00Z"'


class Sent(ApiModel):
    name: str = ""
    things: list[dict[str, Any]] = []  # noqa: RUF012 (pydantic copies it)


@pytest.mark.parametrize(
    "sent",
    [
        {"name": "a\x00b"},
        {"name": "a\ud800b"},
        {"things": [{"a": ["\x00"]}]},
        {"things": [{"\x00": 1}]},
        {"things": [{"a": float("inf")}]},
        {"things": [{"a": float("nan")}]},
        {"other": 1},
    ],
)
def test_what_no_column_could_hold_is_refused_and_not_repeated(sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Sent.model_validate(sent)
    assert "input_value" not in str(refused.value)


def test_nesting_has_an_end() -> None:
    deep: object = 1
    for _ in range(32):
        deep = [deep]
    assert not unstorable(deep)
    assert unstorable([deep])


@given(st.integers(-(2**63), 2**63 - 1), st.text(max_size=50), st.uuids())
def test_a_cursor_brings_back_what_it_was_made_of(number: int, text: str, thing_id: UUID) -> None:
    cursor = encode_cursor("things", number, text, thing_id, MOMENT)
    assert decode_cursor("things", cursor, (int, str, UUID, datetime)) == (number, text, thing_id, MOMENT)
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=80))
def test_a_cursor_that_was_not_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(CursorMalformed):
        decode_cursor("things", cursor, (int,))


def test_a_cursor_serves_its_own_list_and_no_other_types() -> None:
    cursor = encode_cursor("things", 1)
    assert decode_cursor("things", cursor, (int,)) == (1,)
    assert decode_cursor("things", None, (int,)) is None
    for name, types in (("others", (int,)), ("things", (UUID,)), ("things", (int, int)), ("things", ())):
        with pytest.raises(CursorMalformed):
            decode_cursor(name, cursor, types)


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    cursor = encode_cursor("things", 1, UUID(int=5))
    position = data.draw(st.integers(0, len(cursor) - 2))
    changed = cursor[:position] + ("A" if cursor[position] != "A" else "B") + cursor[position + 1 :]
    with pytest.raises(CursorMalformed):
        decode_cursor("things", changed, (int, UUID))


class Answer(ApiModel):
    id: int
    secret: str | None = None


class Gone(Conflict):
    code = "gone"
    title = "It has gone."


class Effect:
    """Writes a row and answers; counts how often it ran."""

    def __init__(self, organization_id: UUID, refusal: Exception | None = None) -> None:
        self.organization_id = organization_id
        self.refusal = refusal
        self.runs = 0

    async def __call__(self, conn: Connection) -> Answer:
        self.runs += 1
        await conn.execute(
            "INSERT INTO inbox (organization_id, source, id) VALUES ($1, 'test', $2)",
            self.organization_id,
            str(self.runs),
        )
        if self.refusal is not None:
            raise self.refusal
        return Answer(id=self.runs)


async def written(pool: Pool, organization_id: UUID) -> int:
    async with connection(pool, organization_id) as conn:
        count: int = await conn.fetchval("SELECT count(*) FROM inbox WHERE organization_id = $1", organization_id)
        return count


async def run(pool: Pool, effect: Effect, key: str | None, body: Sent | None = None) -> tuple[Answer, Response]:
    response = Response(status_code=201)
    claim = claim_for(effect.organization_id, "things", key, body or Sent())
    return await idempotent(pool, effect.organization_id, response, claim, effect, model=Answer), response


async def test_a_repeat_gets_the_first_answer_and_no_second_effect(pool: Pool) -> None:
    effect = Effect(uuid4())
    first, response = await run(pool, effect, "key")
    assert "Idempotency-Replayed" not in response.headers
    for _ in range(3):
        again, response = await run(pool, effect, "key")
        assert again == first
        assert (response.headers["Idempotency-Replayed"], response.status_code) == ("true", 201)
    assert (effect.runs, await written(pool, effect.organization_id)) == (1, 1)


async def test_without_a_key_each_request_is_its_own(pool: Pool) -> None:
    effect = Effect(uuid4())
    assert [(await run(pool, effect, None))[0].id for _ in range(2)] == [1, 2]
    assert await written(pool, effect.organization_id) == 2


async def test_a_key_with_another_body_is_refused(pool: Pool) -> None:
    effect = Effect(uuid4())
    await run(pool, effect, "key", Sent(name="a"))
    with pytest.raises(IdempotencyKeyReused):
        await run(pool, effect, "key", Sent(name="b"))
    assert effect.runs == 1


async def test_a_final_refusal_is_kept_and_its_writes_are_undone(pool: Pool) -> None:
    effect = Effect(uuid4(), Gone("Seat C-11 has gone.", seats=["C-11"]))
    with pytest.raises(Gone):
        await run(pool, effect, "key")
    effect.refusal = None
    with pytest.raises(KeptRefusal) as again:
        await run(pool, effect, "key")
    assert (again.value.code, again.value.title, again.value.detail, again.value.fields) == (
        "gone",
        "It has gone.",
        "Seat C-11 has gone.",
        {"seats": ["C-11"]},
    )
    assert (effect.runs, await written(pool, effect.organization_id)) == (1, 0)


async def test_a_passing_refusal_is_not_kept(pool: Pool) -> None:
    effect = Effect(uuid4(), Unavailable())
    with pytest.raises(Unavailable):
        await run(pool, effect, "key")
    effect.refusal = None
    answer, _ = await run(pool, effect, "key")
    assert (answer.id, await written(pool, effect.organization_id)) == (2, 1)


async def test_many_at_once_with_one_key_have_one_effect(pool: Pool) -> None:
    effect = Effect(uuid4())
    start = asyncio.Barrier(12)

    async def once() -> int | None:
        await start.wait()
        try:
            return (await run(pool, effect, "key"))[0].id
        except IdempotencyInFlight:
            return None

    answers = await asyncio.gather(*(once() for _ in range(12)))
    assert set(answers) <= {1, None}
    assert 1 in answers
    assert (effect.runs, await written(pool, effect.organization_id)) == (1, 1)
