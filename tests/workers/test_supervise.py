"""What fails is started again; a stop lets work in hand finish, within its grace."""

import asyncio

from fullhouse.workers.supervise import supervise


def no_wait(count: int) -> bytes:
    return b"\xff" * count


async def test_loop_that_fails_is_started_again_beside_the_others() -> None:
    stop = asyncio.Event()
    starts = [0, 0]

    async def failing() -> None:
        starts[0] += 1
        if starts[0] < 3:
            raise RuntimeError("bad day")
        stop.set()

    async def steady() -> None:
        starts[1] += 1
        await stop.wait()

    async with asyncio.timeout(30):
        await supervise({"failing": failing, "steady": steady}, stop, randomness=no_wait, grace_seconds=10)
    assert starts == [3, 1]


async def test_work_in_hand_is_finished_at_stop() -> None:
    stop = asyncio.Event()
    ended: list[bool] = []

    async def loop() -> None:
        stop.set()
        await asyncio.sleep(0.05)
        ended.append(True)

    await supervise({"loop": loop}, stop, randomness=no_wait, grace_seconds=30)
    assert ended == [True]


async def test_work_that_outlasts_the_grace_is_cancelled() -> None:
    stop = asyncio.Event()
    cancelled: list[bool] = []

    async def stuck() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with asyncio.timeout(30):
        await supervise({"stuck": stuck}, stop, randomness=no_wait, grace_seconds=0.05)
    assert cancelled == [True]
