"""Work under way is shared: begun once for all who ask, not taken away by one who leaves, and no failure is kept."""

import asyncio

import pytest

from fullhouse.infra.shared_work import SharedWork


class Maker:
    """Makes numbers, each when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.fails = False

    async def make(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.fails:
            raise LookupError
        return number


async def test_all_who_ask_meanwhile_get_one_and_the_same() -> None:
    work, maker = SharedWork[str, int]("number"), Maker()
    asking = [asyncio.create_task(work.get("a", maker.make)) for _ in range(3)]
    other = asyncio.create_task(work.get("b", maker.make))
    await asyncio.sleep(0)
    maker.may_end.set()
    assert await asyncio.gather(*asking) == [1, 1, 1]
    assert await other == 2
    assert await work.get("a", maker.make) == 3


async def test_who_leaves_does_not_end_it_for_the_others() -> None:
    work, maker = SharedWork[str, int]("number"), Maker()
    first, second = (asyncio.create_task(work.get("a", maker.make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    maker.may_end.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_all_who_wait_hear_of_a_failure_and_the_next_begins_anew() -> None:
    work, maker = SharedWork[str, int]("number"), Maker()
    maker.fails = True
    asking = [asyncio.create_task(work.get("a", maker.make)) for _ in range(2)]
    await asyncio.sleep(0)
    maker.may_end.set()
    assert [type(one) for one in await asyncio.gather(*asking, return_exceptions=True)] == [LookupError] * 2
    maker.fails = False
    assert await work.get("a", maker.make) == 2


async def test_settling_waits_for_what_is_under_way() -> None:
    work, maker = SharedWork[str, int]("number"), Maker()
    asking = asyncio.create_task(work.get("a", maker.make))
    await asyncio.sleep(0)
    settling = asyncio.create_task(work.settle())
    await asyncio.sleep(0)
    assert not settling.done()
    maker.may_end.set()
    await settling
    assert await asking == 1
