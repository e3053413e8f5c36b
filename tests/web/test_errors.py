"""Every error becomes a problem by one table."""

import json
from typing import Any

import pytest

from fullhouse.core.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    Kind,
    Malformed,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from fullhouse.infra.http import KeptRefusal, is_final, refusal
from fullhouse.infra.idempotency import IdempotencyInFlight, Kept
from fullhouse.infra.outbox import request_id
from fullhouse.web.errors import (
    STATUSES,
    MediaTypeUnknown,
    MethodNotAllowed,
    Unexpected,
    field_name,
    invalid_fields,
    problem_of,
    problem_response,
    status_of,
)

SCOPE = {"path": "/api/v1/orders/ü\n1"}


class SeatGone(Conflict):
    code = "seat_gone"
    title = "The seat has gone."


def test_every_kind_has_a_status() -> None:
    assert set(STATUSES) == set(Kind)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed(), 400),
        (Unauthenticated(), 401),
        (Forbidden(), 403),
        (NotFound(), 404),
        (MethodNotAllowed(), 405),
        (Conflict(), 409),
        (SeatGone(), 409),
        (TooLarge(), 413),
        (MediaTypeUnknown(), 415),
        (Invalid(), 422),
        (TooMany(), 429),
        (Unexpected(), 500),
        (Unavailable(), 503),
    ],
)
def test_each_error_has_its_status(error: DomainError, status: int) -> None:
    answer = problem_response(error, SCOPE)
    assert (answer.status_code, answer.media_type) == (status, "application/problem+json")
    assert json.loads(bytes(answer.body))["status"] == status


def test_a_problem_has_the_members_of_the_rfc_the_code_the_id_and_the_fields() -> None:
    token = request_id.set("request-7")
    try:
        problem = problem_of(SeatGone("Seat C-11 has gone.", seats=["C-11"], status="mine"), SCOPE)
    finally:
        request_id.reset(token)
    assert problem == {
        "type": "urn:fullhouse:problem:seat_gone",
        "title": "The seat has gone.",
        "status": 409,
        "detail": "Seat C-11 has gone.",
        "code": "seat_gone",
        "request_id": "request-7",
        "instance": "/api/v1/orders/%C3%BC%0A1",
        "seats": ["C-11"],
    }


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (Unavailable(), "retry-after", "1"),
        (Unavailable(retry_after_seconds=2.1), "retry-after", "3"),
        (TooMany(retry_after_seconds=0), "retry-after", "1"),
        (Unauthenticated(), "www-authenticate", 'Bearer realm="fullhouse"'),
        (
            Unauthenticated(schemes=["Order", "Bearer"]),
            "www-authenticate",
            'Order realm="fullhouse", Bearer realm="fullhouse"',
        ),
    ],
)
def test_headers_belong_to_statuses(error: DomainError, header: str, value: str) -> None:
    assert problem_response(error, SCOPE).headers[header] == value


def test_a_kept_refusal_is_repeated_as_it_was() -> None:
    first = SeatGone("Seat C-11 has gone.", seats=["C-11"])
    kept: Any = json.loads(json.dumps(refusal(first)))
    again = KeptRefusal(Kept(409, kept))
    assert problem_of(again, SCOPE) == problem_of(first, SCOPE)
    assert problem_response(again, SCOPE).headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in problem_response(first, SCOPE).headers
    # One refusal's code is not the class's.
    assert KeptRefusal.code == "conflict"


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (SeatGone(), True),
        (Conflict(), True),
        (IdempotencyInFlight(), False),
        (Unavailable(), False),
        (TooMany(), False),
        (Invalid(), False),
        (NotFound(), False),
    ],
)
def test_refusals_of_state_are_final(error: DomainError, *, final: bool) -> None:
    assert is_final(error) is final


@pytest.mark.parametrize(
    ("location", "name"),
    [
        (("body", "items", 0, "quantity"), "items.0.quantity"),
        (("query", "limit"), "limit"),
        (("header", "Idempotency-Key"), "Idempotency-Key"),
        (("body",), "body"),
        (("body", "x" * 500), "x" * 100),
        (("body", "a\ud800ü"), "a\\ud800\\xfc"),
    ],
)
def test_fields_are_named_in_ascii_and_within_bounds(location: tuple[str | int, ...], name: str) -> None:
    assert field_name(location) == name


def test_no_more_than_twenty_fields_are_listed() -> None:
    errors = [{"type": "missing", "loc": ("body", f"f{number}"), "msg": "Field required"} for number in range(500)]
    refused = invalid_fields(errors)
    listed: Any = refused.fields["errors"]
    assert len(listed) == 20
    assert refused.detail == "f0: Field required (and 499 more)"


def test_an_http_error_needs_no_kind_of_its_own() -> None:
    assert status_of(MethodNotAllowed()) != STATUSES[MethodNotAllowed.kind]
