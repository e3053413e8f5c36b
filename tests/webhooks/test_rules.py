"""What follows an attempt, and what can be chosen, without a server."""

from dataclasses import replace

import pytest
from harness.messages import message
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.facts import FACTS
from fullhouse.webhooks.enqueue_deliveries import write_body
from fullhouse.webhooks.rules import (
    ATTEMPTS_MAX,
    MESSAGE_TYPES,
    RETRY_SECONDS,
    TEST_TYPE,
    Decision,
    DeliveryStatus,
    DisabledReason,
    Outcome,
    Standing,
    Trouble,
    after_attempt,
)

FRESH = Standing(attempts=0, is_test=False, endpoint_enabled=True, others_arrived=False)
LAST = replace(FRESH, attempts=ATTEMPTS_MAX - 1)


def outcome(status: int | None = None, trouble: Trouble | None = None) -> Outcome:
    return Outcome(status, trouble, "", 0.1)


def test_every_message_can_be_chosen_but_the_internal_ones() -> None:
    types = {fact.type for fact in FACTS}
    assert types - MESSAGE_TYPES == {
        "account.mail_requested",
        "member.invited",
        "order.links_requested",
        "order.move_announced",
        "payment.notice_received",
        "ticket.mail_requested",
    }
    assert types >= MESSAGE_TYPES


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert after_attempt(LAST, outcome(status), 0.5) == Decision(DeliveryStatus.DELIVERED)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 409, 429, 500, 503])
def test_anything_else_is_tried_again(status: int) -> None:
    decision = after_attempt(FRESH, outcome(status), 0.5)
    assert (decision.status, decision.retry_seconds, decision.disable) == (DeliveryStatus.PENDING, 5.0, None)


def test_ten_attempts_take_a_little_more_than_three_days() -> None:
    waits = [
        after_attempt(replace(FRESH, attempts=number), outcome(trouble=Trouble.TIMED_OUT), 0.5).retry_seconds
        for number in range(ATTEMPTS_MAX - 1)
    ]
    assert waits == list(RETRY_SECONDS)
    assert ATTEMPTS_MAX == 10
    assert 3 <= sum(RETRY_SECONDS) / 86_400 < 3.5


@given(number=st.integers(0, ATTEMPTS_MAX - 2), chance=st.floats(0, 1))
def test_jitter_is_a_tenth(number: int, chance: float) -> None:
    wait = after_attempt(replace(FRESH, attempts=number), outcome(500), chance).retry_seconds
    assert wait is not None
    assert 0.9 * RETRY_SECONDS[number] <= wait <= 1.1 * RETRY_SECONDS[number] + 1e-6


def test_after_the_last_try_the_endpoint_is_disabled() -> None:
    assert after_attempt(LAST, outcome(500), 0.5) == Decision(DeliveryStatus.FAILED, disable=DisabledReason.FAILING)


def test_one_bad_message_among_good_ones_disables_nothing() -> None:
    assert after_attempt(replace(LAST, others_arrived=True), outcome(500), 0.5) == Decision(DeliveryStatus.FAILED)


def test_410_disables_at_once() -> None:
    assert after_attempt(FRESH, outcome(410), 0.5) == Decision(DeliveryStatus.FAILED, disable=DisabledReason.GONE)


def test_a_test_is_tried_once_and_disables_nothing() -> None:
    for status in (410, 500):
        assert after_attempt(replace(LAST, is_test=True), outcome(status), 0.5) == Decision(DeliveryStatus.FAILED)


def test_what_was_on_its_way_when_the_endpoint_was_disabled_is_not_tried_again() -> None:
    standing = replace(FRESH, endpoint_enabled=False)
    assert after_attempt(standing, outcome(500), 0.5) == Decision(DeliveryStatus.FAILED)
    assert after_attempt(standing, outcome(204), 0.5) == Decision(DeliveryStatus.DELIVERED)


def test_body_names_the_schema_that_is_published_of_a_test_too() -> None:
    assert f'"urn:fullhouse:message:{TEST_TYPE}:v1"' in write_body(message(type_=TEST_TYPE))
    assert "urn:fullhouse:message:order.paid:v1" in write_body(message(type_="order.paid"))
