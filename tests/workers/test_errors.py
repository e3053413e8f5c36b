"""Which error means what for a message, and how long the next try waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.core import errors
from fullhouse.workers.backoff import SECONDS_MAX, backoff_seconds
from fullhouse.workers.errors import ATTEMPTS_MAX, ATTEMPTS_MAX_UNAVAILABLE, Failure, Verdict, judge


@pytest.mark.parametrize(
    ("error", "attempts", "failure"),
    [
        (errors.Unavailable("mail is away"), 500, Failure(Verdict.RETRY, "unavailable: mail is away")),
        (errors.TooMany(), 1, Failure(Verdict.RETRY, "too_many_requests: Too many requests.")),
        (
            errors.Unavailable("mail is away"),
            ATTEMPTS_MAX_UNAVAILABLE,
            Failure(Verdict.DEAD_LETTER, f"after {ATTEMPTS_MAX_UNAVAILABLE} tries: unavailable: mail is away"),
        ),
        (errors.NotFound("no order"), 1, Failure(Verdict.DEAD_LETTER, "not_found: no order")),
        (errors.Malformed("x"), 1, Failure(Verdict.DEAD_LETTER, "malformed: x")),
        (errors.Conflict("x\ny"), 1, Failure(Verdict.DEAD_LETTER, "conflict: x y")),
        (KeyError("quantity"), ATTEMPTS_MAX - 1, Failure(Verdict.RETRY, "KeyError: 'quantity'")),
        (TimeoutError(), ATTEMPTS_MAX, Failure(Verdict.DEAD_LETTER, f"after {ATTEMPTS_MAX} tries: TimeoutError")),
    ],
)
def test_error_becomes_a_verdict(error: Exception, attempts: int, failure: Failure) -> None:
    assert judge(error, attempts) == failure


def test_every_kind_has_a_verdict() -> None:
    for kind in errors.Kind:
        error = type("Error", (errors.DomainError,), {"kind": kind})("x")
        transient = kind in {errors.Kind.UNAVAILABLE, errors.Kind.TOO_MANY}
        assert (judge(error, 1).verdict is Verdict.RETRY) == transient


@given(attempts=st.integers(0, 40_000), chance=st.binary(min_size=2, max_size=2))
def test_wait_doubles_to_its_ceiling_less_up_to_half(attempts: int, chance: bytes) -> None:
    whole = backoff_seconds(attempts, lambda _: b"\0\0")
    assert whole == min(SECONDS_MAX, 0.2 * 2 ** min(max(attempts - 1, 0), 16))
    assert whole / 2 < backoff_seconds(attempts, lambda _: chance) <= whole
