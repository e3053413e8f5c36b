"""More load than can be served: newcomers are told so at once, and the door, health checks and holders go on."""

import asyncio
import json
from collections.abc import Callable

import pytest
from harness.wire import Answer, connected, read_answer, serving
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from fullhouse.web.edge import security_headers
from fullhouse.web.overload import (
    COMPANY_FROM_COUNT,
    COMPANY_FROM_SECONDS,
    COMPANY_SECONDS_MAX,
    COMPANY_SHARE,
    GROW_BY,
    LATE_SECONDS_MAX,
    LIMIT_MAX,
    LIMIT_MIN,
    LOOK_SECONDS,
    REFUSING_SECONDS,
    TRIAL_GROWTH,
    WAIT_SECONDS_MAX,
    Gate,
    Rank,
    rank_at_a_glance,
    rank_of,
)

HOLD = b"POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
WAIT = b"GET /api/v1/wait HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        ("/", Rank.ALWAYS),
        ("/api/v1/reservations", Rank.NEWCOMER),
        ("/api/v1/sessions/5/availability?x=/stream", Rank.NEWCOMER),
        ("/api/v1/events", Rank.NEWCOMER),
        ("/api/v1/reservations/5", Rank.HOLDER),
        ("/api/v1/orders", Rank.HOLDER),
        ("/api/v1/orders/5/payments", Rank.HOLDER),
        ("/orders/5/secret", Rank.ALWAYS),
        ("/api/v1/tickets/5/qr.png", Rank.HOLDER),
        ("/api/v1/tickets/validate", Rank.ALWAYS),
        ("/api/v1/payments/webhooks/stripe", Rank.ALWAYS),
        ("/api/v1/sessions/5/stream?x=1", Rank.ALWAYS),
        ("/healthz", Rank.ALWAYS),
        ("/readyz", Rank.ALWAYS),
        ("/metrics", Rank.ALWAYS),
    ],
)
def test_who_asks_is_known_by_the_path(path: str, rank: Rank) -> None:
    assert rank_of(path) is rank


def test_newcomers_are_refused_first_holders_later_and_the_door_never() -> None:
    gate = Gate(10)
    gate.count(9)
    assert not any(gate.refuses(rank) for rank in Rank)
    gate.count(1)
    assert [gate.refuses(rank) for rank in Rank] == [True, False, False]
    gate.count(10)
    assert [gate.refuses(rank) for rank in Rank] == [True, True, False]
    gate.count(-11)
    assert not any(gate.refuses(rank) for rank in Rank)


def test_a_late_loop_shrinks_the_limit_and_a_full_one_in_time_grows_it() -> None:
    gate = Gate(400)
    gate.count(200)
    gate.note_lateness(LATE_SECONDS_MAX * 2)
    assert gate.limit == 400, "once is no overload"
    gate.note_lateness(LATE_SECONDS_MAX * 2)
    assert gate.limit == 150
    gate.note_lateness(0.0)
    assert gate.limit == 150 + GROW_BY, "more were under way than it now allows, so more was needed"
    gate.count(-200)
    gate.note_lateness(0.0)
    assert gate.limit == 150 + GROW_BY, "nobody needed more"


def test_what_refusing_takes_shrinks_nothing() -> None:
    gate = Gate(400)
    gate.count(400)
    for _ in range(3):
        for _ in range(round(2 * LATE_SECONDS_MAX / REFUSING_SECONDS)):
            gate.refuse()
        gate.note_lateness(2.5 * LATE_SECONDS_MAX)
    assert gate.limit == 400


def _answer(gate: Gate, *seconds: float) -> None:
    for each in seconds:
        gate.note_answered(each)


def test_those_who_wait_too_long_shrink_the_limit_though_the_loop_is_idle() -> None:
    gate = Gate(400)
    gate.count(300)
    _answer(gate, *[0.001] * 900, *[WAIT_SECONDS_MAX * 1.5] * 100)
    gate.note_lateness(0.0)
    assert gate.limit == 225, "nine of ten were answered at once, but most of those under way wait"
    for _ in range(round(WAIT_SECONDS_MAX / LOOK_SECONDS)):
        gate.note_lateness(0.0)
    assert gate.limit == 225, "not again before it can be felt"


def test_one_long_answer_in_a_quiet_process_shrinks_nothing() -> None:
    gate = Gate(400)
    gate.count(3)
    _answer(gate, *[0.01] * 50, 20.0)
    gate.note_lateness(0.0)
    assert gate.limit == 400


def _serve(gate: Gate, looks: int, waits: Callable[[float], float]) -> list[float]:
    """Let as many in as the gate has room for, who wait as that number says; return the limit after each look."""
    limits: list[float] = []
    for _ in range(looks):
        gate.count(round(gate.limit) - gate.under_way)
        _answer(gate, *[waits(gate.limit)] * 100)
        gate.note_lateness(0.0)
        limits.append(gate.limit)
    return limits


def test_a_full_gate_grows_while_nobody_waits_longer_for_it_as_with_slow_commits() -> None:
    slow = WAIT_SECONDS_MAX * 0.8
    limits = _serve(Gate(LIMIT_MIN), 200, lambda _: slow)
    assert limits[-1] == LIMIT_MAX


@given(st.floats(WAIT_SECONDS_MAX * 0.5, WAIT_SECONDS_MAX * 0.99))
def test_more_are_let_in_only_on_trial_where_each_waits_for_the_others(waits: float) -> None:
    limits = _serve(Gate(400), 500, lambda limit: waits * limit / 400)
    waited = sorted(waits * limit / 400 for limit in limits)
    assert waited[-1] <= WAIT_SECONDS_MAX * TRIAL_GROWTH
    assert waited[len(waited) // 2] <= WAIT_SECONDS_MAX, "mostly those before the trial"


def test_a_trial_in_vain_is_taken_back() -> None:
    limits = _serve(Gate(400), 100, lambda limit: WAIT_SECONDS_MAX * 0.6 * limit / 400)
    assert (limits[0], limits[-1]) == (400 * TRIAL_GROWTH, 400)


def test_nobody_is_let_in_on_trial_while_people_wait_too_long() -> None:
    gate = Gate(400)
    gate.count(400)
    _answer(gate, *[WAIT_SECONDS_MAX * 1.1] * 100)
    gate.note_lateness(0.0)
    gate.count(-100)
    gate.note_lateness(0.0)
    assert gate.limit == 300


@pytest.mark.parametrize(
    ("waits", "under_way", "patience"),
    [
        (COMPANY_FROM_SECONDS * 0.9, 400, 0.0),
        (COMPANY_FROM_SECONDS * 1.1, COMPANY_FROM_COUNT - 1, 0.0),
        (COMPANY_FROM_SECONDS * 1.1, COMPANY_FROM_COUNT, COMPANY_FROM_SECONDS * 1.1 * COMPANY_SHARE),
        (WAIT_SECONDS_MAX * 4, 400, COMPANY_SECONDS_MAX),
    ],
)
def test_batches_wait_for_company_a_part_of_what_all_wait(waits: float, under_way: int, patience: float) -> None:
    gate = Gate(800)
    gate.count(under_way)
    _answer(gate, *[waits] * 100)
    assert gate.patience() == pytest.approx(patience)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(-40, 40))))
def test_the_limit_stays_within_its_bounds(steps: list[tuple[float, int]]) -> None:
    gate = Gate()
    for late, change in steps:
        gate.note_answered(late)
        gate.count(max(change, -gate.under_way))
        gate.note_lateness(late)
        assert LIMIT_MIN <= gate.limit <= LIMIT_MAX


def test_refusals_spread_when_people_come_back_and_are_counted() -> None:
    gate = Gate(0)
    assert {str(gate.refuse().fields["retry_after_seconds"]) for _ in range(6)} == {"1", "2", "3"}
    assert gate.take_refused() == 6
    assert gate.take_refused() == 0


@pytest.mark.parametrize(
    "data",
    [
        HOLD[:-1],
        HOLD + b"G",
        HOLD + HOLD,
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /two words HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\n{}",
        b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 2_000),
        b"\x16\x03\x01\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_plain_at_a_glance_is_left_to_the_parser(data: bytes) -> None:
    assert rank_at_a_glance(data) is None


def test_a_whole_request_is_known_at_a_glance() -> None:
    assert rank_at_a_glance(HOLD) is rank_at_a_glance(WAIT) is Rank.NEWCOMER
    assert rank_at_a_glance(b"GET /healthz HTTP/1.1\r\n\r\n") is Rank.ALWAYS


def _check_overloaded(answer: Answer) -> None:
    status, headers, body = answer
    problem = json.loads(body)
    assert (status, problem["status"], problem["code"]) == (503, 503, "overloaded")
    assert headers["retry-after"] == str(problem["retry_after_seconds"])
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["request_id"]
    assert "connection" not in headers
    for name, value in security_headers(https=True):
        assert headers[name.decode()] == value.decode().lower()


class _Waiting:
    """An app that answers ``/api/v1/wait`` when it is told to, and everything else at once."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        if scope["path"] == "/api/v1/wait":
            await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def test_newcomers_are_told_at_once_and_their_connection_serves_them_later() -> None:
    app, gate = _Waiting(), Gate(1)
    async with (
        serving(app, gate=gate) as (_, port),
        connected(port, WAIT) as (first, _),
        connected(port) as (reader, writer),
    ):
        await _until_under_way(gate, 1)
        ids: set[str] = set()
        for _ in range(3):
            writer.write(HOLD)
            answer = await read_answer(reader)
            _check_overloaded(answer)
            ids.add(answer[1]["x-request-id"])
        assert len(ids) == 3, "each refusal has an id of its own"
        # In two pieces it reaches the layers behind the parser, which say the same.
        writer.write(HOLD[:-1])
        await asyncio.sleep(0.05)
        writer.write(HOLD[-1:])
        _check_overloaded(await read_answer(reader))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(reader))[0] == 200
        writer.write(b"POST /api/v1/tickets/validate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert (await read_answer(reader))[0] == 200
        writer.write(b"GET /api/v1/orders/5 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(reader))[0] == 200, "who holds something is refused at twice the limit only"
        app.go_on.set()
        assert (await read_answer(first))[0] == 200
        writer.write(HOLD)
        assert (await read_answer(reader))[0] == 200
    assert app.paths.count("/api/v1/reservations") == 1, "what was refused reached nobody"
    assert gate.under_way == 0


async def test_a_sent_request_id_is_kept_in_a_refusal() -> None:
    app, gate = _Waiting(), Gate(0)
    async with serving(app, gate=gate) as (_, port), connected(port) as (reader, writer):
        writer.write(HOLD.replace(b"Host: x", b"Host: x\r\nX-Request-ID: my-own-id"))
        answer = await read_answer(reader)
    _check_overloaded(answer)
    assert answer[1]["x-request-id"] == "my-own-id"
    assert app.paths == []


async def _until_under_way(gate: Gate, count: int) -> None:
    async with asyncio.timeout(30):
        while gate.under_way < count:  # noqa: ASYNC110 (the gate tells nobody)
            await asyncio.sleep(0.001)
