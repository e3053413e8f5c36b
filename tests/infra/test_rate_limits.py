"""Budgets hold over processes, with Valkey and without it, and asking for them does not stall anybody."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness.waiting import until
from valkey.asyncio import Valkey

from fullhouse.infra import rate_limits, system
from fullhouse.infra.embedded import valkey as embedded
from fullhouse.infra.rate_budgets import Alone, Budget, Decision, Purse, parse_budgets
from fullhouse.infra.rate_limits import Limiter
from fullhouse.infra.resources import open_valkey

KEY = b"a key of the tests, to hide subjects"
HOUR = 3600
PROCESSES = 4
AT_ONCE = 1000


class Ticks:
    """A clock of this process that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(valkey: Valkey, ticks: Ticks, processes: int = PROCESSES, **budgets: Budget) -> Limiter:
    return Limiter(valkey, system.now, KEY, budgets, processes=processes, monotonic=ticks)


async def pass_time(valkey: Valkey, ticks: Ticks, seconds: float) -> None:
    """Let time pass: here, and in Valkey by moving what it remembers into the past."""
    ticks.now += seconds
    async for name in valkey.scan_iter("rate:*"):
        full_at = int(await valkey.get(name) or 0)
        await valkey.set(name, full_at - int(seconds * 1_000_000), keepttl=True)


async def allowed_of(limiters: list[Limiter], count: int, subject: str = "somebody") -> int:
    allowed = 0
    # So many at once that one loop answers them before it would believe that Valkey is away, also when it is slow.
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        takes = [limiters[number % len(limiters)].take("hold", subject) for number in numbers]
        allowed += sum(decision.allowed for decision in await asyncio.gather(*takes))
    return allowed


@pytest.fixture
async def own_valkey(short_folder: Path) -> AsyncIterator[tuple[embedded.EmbeddedValkey, Valkey]]:
    server = await asyncio.to_thread(embedded.start, short_folder / "valkey")
    client = open_valkey(server.url)
    yield server, client
    await client.aclose()
    server.stop()


@pytest.mark.parametrize("quota", [1, 7, 10, 30, 39])
async def test_a_small_budget_is_exact_over_four_processes(valkey: Valkey, quota: int) -> None:
    ticks = Ticks()
    four = [limiter(valkey, ticks, hold=Budget(quota, HOUR)) for _ in range(PROCESSES)]
    assert await allowed_of(four, 4 * quota + 4, f"exact {quota}") == quota
    await pass_time(valkey, ticks, HOUR / quota)
    assert await allowed_of(four, 4 * quota + 4, f"exact {quota}") == 1


@pytest.mark.parametrize("quota", [40, 100, 400, 1200, 6000])
async def test_a_budget_holds_within_a_tenth_over_four_processes(valkey: Valkey, quota: int) -> None:
    ticks = Ticks()
    four = [limiter(valkey, ticks, hold=Budget(quota, HOUR)) for _ in range(PROCESSES)]
    at_once = 0
    for _ in range(3):
        # Not all in one moment: what was taken in advance grows, runs out of time, and is begun anew.
        at_once += await allowed_of(four, quota // 2, f"tenth {quota}")
        ticks.now += 1.5
    assert 0.9 * quota <= at_once <= 1.1 * quota
    await pass_time(valkey, ticks, HOUR / 2)
    assert 0.9 * quota / 2 <= await allowed_of(four, 2 * quota, f"tenth {quota}") <= 1.1 * quota / 2


async def test_over_hours_four_processes_let_pass_what_the_rate_gives(valkey: Valkey) -> None:
    ticks = Ticks()
    quota = 400
    four = [limiter(valkey, ticks, hold=Budget(quota, HOUR)) for _ in range(PROCESSES)]
    first = await allowed_of(four, 2 * quota, "steady")
    later = 0
    for _ in range(20):
        await pass_time(valkey, ticks, HOUR / 10)
        later += await allowed_of(four, quota // 5, "steady")
    assert 0.9 * quota <= first <= 1.1 * quota
    assert 0.9 * 2 * quota <= later <= 1.1 * 2 * quota


async def test_few_requests_ask_valkey_when_one_subject_sends_many(valkey: Valkey) -> None:
    ticks = Ticks()
    one = limiter(valkey, ticks, hold=Budget(12_000, HOUR))
    before = (await valkey.info("commandstats"))["cmdstat_eval"]["calls"]
    for _ in range(3000):
        assert (await one.take("hold", "many")).allowed
    calls = (await valkey.info("commandstats"))["cmdstat_eval"]["calls"] - before
    assert calls <= 30


async def test_a_lone_request_asks_nobody(valkey: Valkey) -> None:
    one = limiter(valkey, Ticks(), hold=Budget(1200, 60))
    before = await valkey.dbsize()
    for buyer in range(100):
        assert is_answered_at_once(one, f"buyer {buyer}").allowed
    assert await valkey.dbsize() == before


async def test_many_at_once_share_one_question(valkey: Valkey) -> None:
    one = limiter(valkey, Ticks(), sign_in=Budget(30, HOUR))
    before = (await valkey.info("commandstats"))["cmdstat_eval"]["calls"]
    decisions = await asyncio.gather(*(one.take("sign_in", "crowd") for _ in range(200)))
    assert sum(decision.allowed for decision in decisions) == 30
    assert (await valkey.info("commandstats"))["cmdstat_eval"]["calls"] - before <= 3


async def test_a_refusal_says_when_to_come_again_and_takes_nothing(valkey: Valkey) -> None:
    ticks = Ticks()
    one = limiter(valkey, ticks, sign_in=Budget(6, 60))
    for left in (5, 4, 3, 2, 1, 0):
        decision = await one.take("sign_in", "door")
        assert (decision.allowed, decision.remaining, decision.retry_after_seconds) == (True, left, 0)
    for _ in range(50):
        refused = await one.take("sign_in", "door")
        assert refused == Decision("sign_in", 6, 60, 0, 10, 10)
    await pass_time(valkey, ticks, 10)
    assert (await one.take("sign_in", "door")).allowed
    assert not (await one.take("sign_in", "door")).allowed


async def test_costs_purposes_and_subjects_count_apart(valkey: Valkey) -> None:
    one = limiter(valkey, Ticks(), sign_in=Budget(10, HOUR), scan=Budget(10, HOUR))
    assert (await one.take("sign_in", "a", cost=8)).remaining == 2
    assert not (await one.take("sign_in", "a", cost=3)).allowed
    assert (await one.take("sign_in", "a", cost=2)).allowed
    assert not (await one.take("sign_in", "a")).allowed
    assert (await one.take("sign_in", "b", cost=10)).allowed
    assert (await one.take("scan", "a", cost=10)).allowed
    assert (await one.take("scan", "c", cost=999)).allowed, "more than the whole budget costs the whole budget"
    with pytest.raises(KeyError):
        await one.take("nothing", "a")


async def test_valkey_does_not_learn_who_a_subject_is(valkey: Valkey) -> None:
    await valkey.flushdb()
    await limiter(valkey, Ticks(), sign_in=Budget(10, 60)).take("sign_in", "ana@example.org")
    names = [name async for name in valkey.scan_iter("*")]
    assert len(names) == 1
    assert names[0].startswith(b"rate:sign_in:")
    assert b"ana" not in names[0]
    assert 0 < await valkey.pttl(names[0]) <= 6_000, "it is kept only until the budget is whole again"


async def test_without_valkey_each_process_keeps_to_its_share_and_nobody_waits(
    own_valkey: tuple[embedded.EmbeddedValkey, Valkey],
) -> None:
    server, client = own_valkey
    ticks = Ticks()
    four = [limiter(client, ticks, hold=Budget(400, HOUR)) for _ in range(PROCESSES)]
    assert await allowed_of(four, 40) == 40
    os.kill(server.pid, signal.SIGKILL)
    alone = await allowed_of(four, 1600)
    # Each process: a quarter of the budget, and the few units that it held in hand.
    assert 400 <= alone <= 440
    assert not is_answered_at_once(four[0], "somebody").allowed
    ticks.now += HOUR / 100
    assert [is_answered_at_once(one, "somebody").allowed for one in four] == [True] * PROCESSES
    assert [is_answered_at_once(one, "somebody").allowed for one in four] == [False] * PROCESSES
    for one in four:
        await one.close()


async def test_a_valkey_that_hangs_holds_up_only_those_who_ask_in_that_moment_and_is_found_again(
    own_valkey: tuple[embedded.EmbeddedValkey, Valkey],
) -> None:
    server, client = own_valkey
    one = limiter(client, Ticks(), processes=1, hold=Budget(10, HOUR))
    assert (await one.take("hold", "a")).remaining == 9
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert (await one.take("hold", "a")).allowed
        for number in range(500):
            assert is_answered_at_once(one, f"other {number}").allowed
    finally:
        os.kill(server.pid, signal.SIGCONT)

    async def is_asked_again() -> bool:
        await one.take("hold", "b")
        return await client.dbsize() == 2

    await until(is_asked_again)
    # What was taken before is still known there, and perhaps what was asked of it while it hung.
    assert (await one.take("hold", "a")).remaining in {7, 8}
    await one.close()


def is_answered_at_once(one: Limiter, subject: str) -> Decision:
    """Take, and fail if the answer had to be waited for."""
    taking = one.take("hold", subject)
    try:
        taking.send(None)
    except StopIteration as done:
        decision: Decision = done.value
        return decision
    taking.close()
    raise AssertionError("it waited")


def test_the_rule_of_one_process() -> None:
    alone = Alone(Budget(3, 60))
    assert [alone.take(0, 1) for _ in range(3)] == [0.0] * 3
    assert alone.take(0, 1) == 20.0
    assert 0 < alone.take(19.9, 1) < 0.2
    assert alone.take(20, 1) == 0.0
    assert alone.remaining(20) == 0
    assert alone.remaining(80) == 3
    assert [alone.take(1000, 1) for _ in range(4)] == [0.0, 0.0, 0.0, 20.0]


@pytest.mark.parametrize(
    ("budget", "processes", "share"),
    [
        (Budget(400, 60), 4, Budget(100, 60)),
        (Budget(1, 60), 4, Budget(1, 240)),
        (Budget(5, 60), 4, Budget(1, 48)),
        (Budget(30, 60), 1, Budget(30, 60)),
    ],
)
def test_a_share_keeps_the_rate(budget: Budget, processes: int, share: Budget) -> None:
    assert budget.share(processes) == share
    assert share.quota * processes * budget.seconds <= budget.quota * share.seconds


def test_a_purse_forgets_what_it_did_not_tell_after_a_whole_window() -> None:
    purse = Purse(Budget(80, 60), 1, 0)
    assert purse.take(0, 1) == 0.0
    assert purse.take(1, 1) is None
    assert purse.take(61, 1) == 0.0


def test_only_so_many_subjects_are_remembered_and_those_who_came_last_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "SUBJECTS_MAX", 3)
    one = Limiter(open_valkey("unix:///nowhere"), system.now, KEY, {"hold": Budget(160, HOUR)})
    for subject in ("a", "b", "b", "c", "a", "d"):
        assert one.take_now("hold", subject) is not None
    # Each may spend two units and not tell of them. Those of a are spent; b was forgotten, and begins anew.
    assert [one.take_now("hold", subject) is None for subject in ("a", "d", "b")] == [True, False, False]


def test_budgets_are_read_over_their_defaults() -> None:
    defaults = {"hold": Budget(1, 2), "scan": Budget(3, 4)}
    assert parse_budgets("", defaults) == defaults
    assert parse_budgets(" hold = 100/60 ,", defaults) == {"hold": Budget(100, 60), "scan": Budget(3, 4)}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("doors=1/2", "'doors' is none of hold"),
        ("hold", "write hold=UNITS/SECONDS"),
        ("hold=1", "write hold="),
        ("hold=0/60", "write hold="),
        ("hold=1/0", "write hold="),
        ("hold=-1/60", "write hold="),
        ("hold=1/86401", "write hold="),
        ("hold=²/60", "write hold="),
        ("hold=" + "9" * 5000 + "/60", "write hold="),
    ],
)
def test_a_budget_that_makes_no_sense_says_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_budgets(text, {"hold": Budget(1, 2)})
