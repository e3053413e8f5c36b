"""What a code does, and when: decided without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from fullhouse.pricing.codes import Code, CodeNotValid, CodeTerms, OpenedCode, Where, normal_code, open_code
from fullhouse.pricing.rules import Discount, FeePer

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
HERE = Where(UUID(int=1), UUID(int=2), "EUR")
OPENS = frozenset({UUID(int=3)})


def code(use_count: int = 0, **terms: Any) -> Code:
    chosen: dict[str, Any] = {"code": "SOME", "rate": 100_000, **terms}
    return Code(UUID(int=7), UUID(int=8), CodeTerms(**chosen), use_count, NOON)


@pytest.mark.parametrize("text", ["some-code", " Some-Code ", "SOME-CODE"])
def test_a_code_is_the_same_however_it_is_typed(text: str) -> None:
    assert normal_code(text) == "SOME-CODE"


@pytest.mark.parametrize("text", ["", "ab", "-abc", "a b c", "x" * 41, "ação"])
def test_what_cannot_be_a_code_is_refused_like_one_that_is_not_there(text: str) -> None:
    with pytest.raises(CodeNotValid):
        normal_code(text)


def test_a_code_takes_something_off_and_opens_what_it_names() -> None:
    opened = open_code(code(ticket_type_ids=OPENS), HERE, NOON)
    assert opened == OpenedCode(UUID(int=8), Discount("SOME", rate=100_000, ticket_type_ids=OPENS), OPENS)
    only = open_code(code(rate=0, ticket_type_ids=OPENS), HERE, NOON)
    assert (only.discount, only.opens) == (None, OPENS)
    off = open_code(code(rate=0, amount_minor=500, per=FeePer.ORDER, currency="EUR"), HERE, NOON)
    assert off.discount == Discount("SOME", amount_minor=500, per=FeePer.ORDER)


@pytest.mark.parametrize(
    ("terms", "before", "at"),
    [
        ({"valid_from": NOON}, False, True),
        ({"valid_until": NOON}, True, False),
    ],
)
def test_a_time_window_begins_with_its_first_instant_and_ends_before_its_last(
    terms: dict[str, Any], before: bool, at: bool
) -> None:
    for now, valid in ((NOON - timedelta(microseconds=1), before), (NOON, at)):
        if valid:
            open_code(code(**terms), HERE, now)
        else:
            with pytest.raises(CodeNotValid):
                open_code(code(**terms), HERE, now)


def test_a_code_that_is_used_up_is_shown_again_only_to_who_may_have_used_it() -> None:
    used = code(5, uses_max=5)
    with pytest.raises(CodeNotValid):
        open_code(used, HERE, NOON)
    assert open_code(used, HERE, NOON, again=True).code_id == UUID(int=8)
    assert open_code(code(4, uses_max=5), HERE, NOON).code_id == UUID(int=8)
