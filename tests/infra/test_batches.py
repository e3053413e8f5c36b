"""Batches: who comes while one is decided shares the next; each hears of their own wish, and a bad one fails alone."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import pytest

from fullhouse.infra import batches as batches_module
from fullhouse.infra.batches import Batches, Pace


class Full(Exception):
    """Too many wait."""


class Bad(Exception):
    """A wish that cannot be met."""


class Clerk:
    """Notes the batches, answers with twice the number, and waits until it may where it was told to."""

    def __init__(self) -> None:
        self.batches: list[tuple[UUID, list[int]]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.answer: Callable[[int], int | Exception | None] = lambda wish: 2 * wish
        self.begun = asyncio.Semaphore(0)
        self.breaks_at: int | None = None

    async def judge(self, organization_id: UUID, wishes: Sequence[int]) -> list[int | Exception | None]:
        self.batches.append((organization_id, list(wishes)))
        may_go_on = self.may_go_on
        self.begun.release()
        await may_go_on.wait()
        if self.breaks_at in wishes:
            raise Bad
        return [self.answer(wish) for wish in wishes]


def batches_of(clerk: Clerk, **options: int) -> Batches[int, int]:
    return Batches(clerk.judge, name="clerk", full=Full, pace=Pace(**options))


async def test_who_comes_meanwhile_shares_the_next_batch() -> None:
    clerk, seller = Clerk(), uuid4()
    batches = batches_of(clerk, batch_max=3)
    assert await asyncio.gather(*(batches.ask(seller, wish) for wish in range(5))) == [0, 2, 4, 6, 8]
    assert await batches.ask(seller, 7) == 14
    assert clerk.batches == [(seller, [0, 1, 2]), (seller, [3, 4]), (seller, [7])]


async def test_who_is_in_no_hurry_is_joined_by_those_who_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    clerk, seller = Clerk(), uuid4()
    slept: list[float] = []
    begun, over = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        begun.set()
        await over.wait()

    monkeypatch.setattr(batches_module, "sleep", sleep)
    batches = Batches(clerk.judge, name="clerk", full=Full, pace=Pace(gather_seconds=0.5))
    waiting = [asyncio.create_task(batches.ask(seller, 1))]
    await begun.wait()
    waiting.append(asyncio.create_task(batches.ask(seller, 2)))
    await asyncio.sleep(0)
    assert clerk.batches == []
    over.set()
    assert await asyncio.gather(*waiting) == [2, 4]
    assert (slept, clerk.batches) == ([0.5], [(seller, [1, 2])])


async def test_organizations_do_not_wait_for_each_other() -> None:
    clerk, one, other = Clerk(), uuid4(), uuid4()
    clerk.may_go_on.clear()
    batches = batches_of(clerk)
    asking = [asyncio.create_task(batches.ask(seller, 1)) for seller in (one, other)]
    await clerk.begun.acquire()
    await clerk.begun.acquire()
    clerk.may_go_on.set()
    assert await asyncio.gather(*asking) == [2, 2]
    assert clerk.batches == [(one, [1]), (other, [1])]


async def test_a_bad_wish_fails_alone() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.breaks_at = 2
    clerk.answer = lambda wish: Full() if wish == 3 else wish
    batches = batches_of(clerk)
    answers = await asyncio.gather(*(batches.ask(seller, wish) for wish in (1, 2, 3, 4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, Bad, Full, int]
    assert clerk.batches == [(seller, wishes) for wishes in ([1, 2, 3, 4], [1], [2], [3], [4])]


async def test_who_has_no_answer_yet_asks_again_before_those_who_came_later() -> None:
    clerk, seller, heard = Clerk(), uuid4(), set[int]()

    def answer(wish: int) -> int | None:
        first = wish not in heard
        heard.add(wish)
        return None if first and wish in {1, 2} else wish

    clerk.answer = answer
    batches = batches_of(clerk, batch_max=3)
    assert await asyncio.gather(*(batches.ask(seller, wish) for wish in range(4))) == [0, 1, 2, 3]
    assert [wishes for _, wishes in clerk.batches] == [[0, 1, 2], [1, 2, 3]]


async def test_too_many_are_turned_away_and_who_leaves_is_left_out() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.may_go_on.clear()
    batches = batches_of(clerk, batch_max=1, waiting_max=2)
    first = asyncio.create_task(batches.ask(seller, 1))
    await clerk.begun.acquire()
    second, third = (asyncio.create_task(batches.ask(seller, wish)) for wish in (2, 3))
    await asyncio.sleep(0)
    with pytest.raises(Full):
        await batches.ask(seller, 4)
    second.cancel()
    await asyncio.sleep(0)
    clerk.may_go_on.set()
    assert await asyncio.gather(first, third) == [2, 6]
    assert [wishes for _, wishes in clerk.batches] == [[1], [3]]


async def test_closing_waits_for_those_who_wait() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.may_go_on.clear()
    batches = batches_of(clerk)
    asking = asyncio.create_task(batches.ask(seller, 1))
    await clerk.begun.acquire()
    closing = asyncio.create_task(batches.close())
    await asyncio.sleep(0)
    assert not closing.done()
    clerk.may_go_on.set()
    await closing
    assert await asking == 2


async def test_who_was_decided_hears_of_it_while_the_next_are_decided() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.may_go_on.clear()
    batches = batches_of(clerk, batch_max=1)
    first, second = (asyncio.create_task(batches.ask(seller, wish)) for wish in (1, 2))
    await clerk.begun.acquire()
    clerk.may_go_on.set()
    clerk.may_go_on = asyncio.Event()
    assert await first == 2
    assert not second.done()
    await clerk.begun.acquire()
    clerk.may_go_on.set()
    assert await second == 4


async def test_a_second_batch_goes_beside_the_first_once_enough_wait() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.may_go_on.clear()
    batches = batches_of(clerk, batch_max=3, beside_min=2)
    asking = [asyncio.create_task(batches.ask(seller, 0))]
    await clerk.begun.acquire()
    asking += [asyncio.create_task(batches.ask(seller, 1))]
    await asyncio.sleep(0)
    assert clerk.batches == [(seller, [0])]
    asking += [asyncio.create_task(batches.ask(seller, wish)) for wish in (2, 3, 4, 5)]
    await clerk.begun.acquire()
    assert clerk.batches == [(seller, [0]), (seller, [1, 2, 3])]
    clerk.may_go_on.set()
    assert await asyncio.gather(*asking) == [0, 2, 4, 6, 8, 10]
    assert clerk.batches[2:] == [(seller, [4, 5])]


async def test_who_asks_again_is_served_though_the_queue_was_given_up_meanwhile() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.may_go_on.clear()
    first_may, heard = clerk.may_go_on, list[int]()

    def answer(wish: int) -> int | None:
        heard.append(wish)
        return None if wish == 2 and heard.count(2) == 1 else wish

    clerk.answer = answer
    batches = batches_of(clerk, beside_min=2)
    first = asyncio.create_task(batches.ask(seller, 1))
    await clerk.begun.acquire()
    beside_may = clerk.may_go_on = asyncio.Event()
    beside = [asyncio.create_task(batches.ask(seller, wish)) for wish in (2, 3)]
    await clerk.begun.acquire()
    first_may.set()
    assert await first == 1
    await asyncio.sleep(0)
    beside_may.set()
    assert await asyncio.gather(*beside) == [2, 3]
    assert [wishes for _, wishes in clerk.batches] == [[1], [2, 3], [2]]


async def test_a_bad_wish_fails_alone_beside_others_too() -> None:
    clerk, seller = Clerk(), uuid4()
    clerk.may_go_on.clear()
    clerk.breaks_at = 2
    batches = batches_of(clerk, beside_min=2)
    asking = [asyncio.create_task(batches.ask(seller, 1))]
    await clerk.begun.acquire()
    asking += [asyncio.create_task(batches.ask(seller, wish)) for wish in (2, 3)]
    await clerk.begun.acquire()
    clerk.may_go_on.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, Bad, int]
    await asyncio.wait_for(batches.close(), 5)
