"""Trouble: more load than the machine can take, and parts that are killed while everybody buys."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Final

from fullhouse.operations.bench.bench import CREATED, Bench, Log, broken_promises, figure
from fullhouse.operations.bench.crowds import TIMES, Came, Crowd, Turns, offer, share
from fullhouse.operations.bench.figures import Ratio, Section
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.house import API
from fullhouse.operations.bench.limits import as_owner
from fullhouse.operations.bench.load import ACCEPTED, MakeRequest, OpenLoop
from fullhouse.operations.bench.portions import served
from fullhouse.operations.bench.stock import put_on_sale
from fullhouse.operations.bench.wire import Answer

SLOWED: Final = 10.0
_SLOW: Final = "ALTER SYSTEM SET commit_delay = 100000"
"""Microseconds."""
CALM_SHARE: Final = 0.3
NORMAL_SECONDS: Final = 5.0
RECOVERY_SECONDS_MAX: Final = 5.0
LOAD_WHILE_KILLED: Final = 0.5
PAUSE_SECONDS: Final = 0.3
"""Who sells hundreds of times a second and then not for so long has stopped."""


async def overload(bench: Bench) -> Section:
    """One, two and four times what the machine can do; the same and ten times of what it can do with slow commits."""
    section = Section(
        "overload", "More requests than the machine can take; health checks and the door go on beside it."
    )
    log = Log()

    async def asks() -> MakeRequest:
        """Ask for holds of a session of their own: no stock lasts for all of them."""
        on_sale = await put_on_sale(bench.house.database, bench.organizer)
        return same_hold(hold_body(on_sale, {"quantity": 1}), "overload")

    async def best() -> float:
        return await bench.capacity(await asks(), log.judge)

    async def come(name: str, per_second: float) -> Came:
        return await offer(bench, Crowd(name, await asks(), log.judge, per_second))

    async def compare(name: str, multiples: Sequence[float]) -> Sequence[float]:
        turns = Turns(name, best, come, "answered with a hold or told to wait, of all")
        return await turns.compare(section, bench.plan.rounds, multiples)

    await bench.capacity(await asks(), log.judge, seconds=bench.plan.warm_up_seconds)
    bests = await compare("{} times", TIMES)
    section.figures.append(figure("what the machine can do", "/s", bests))
    await _slow_commits(bench, slow=True)
    try:
        slow = await compare("{} times, slow commits", (*TIMES, SLOWED))
        section.figures.append(figure("what it can do with slow commits", "/s", slow))
    finally:
        await _slow_commits(bench, slow=False)
    memory = sum(bench.house.resident_bytes(API).values()) / 1e6
    section.figures.append(figure("memory of the API afterwards", " MB", [memory]))
    async with bench.connected() as wires:
        await asyncio.sleep(NORMAL_SECONDS)
        calm = OpenLoop(wires, await asks(), log.judge)
        load = await calm.run("5 s afterwards", bests[-1] * CALM_SHARE, bench.plan.seconds)
    section.loads.append(load)
    section.ratios.append(Ratio("5 s afterwards: accepted of offered", (share(load),), 1.0))
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id) + await broken_promises(
        bench.house
    )
    return section


async def _slow_commits(bench: Bench, *, slow: bool) -> None:
    """Let the server wait before each flush of its log, as on a slow disk; or no more."""
    async with as_owner(bench.house.database_url) as conn:
        await conn.execute("ALTER SYSTEM SET commit_siblings = 0")
        await conn.execute(_SLOW if slow else "ALTER SYSTEM RESET commit_delay")
        await conn.execute("SELECT pg_reload_conf()")


async def recovery(bench: Bench) -> Section:
    """Kill -9 of each part in full load: nothing that was promised is lost, and selling goes on soon."""
    section = Section(
        "recovery", "kill -9 in full load; the clients' own log is compared with what is there afterwards."
    )
    house = bench.house
    kills: dict[str, Callable[[], Awaitable[None]]] = {
        "PostgreSQL": lambda: _kill([house.postgres_pid]),
        "Valkey": lambda: _kill(house.pids("valkey-server")),
        "one API process": lambda: _kill(house.pids(API)[:1]),
        "everything": lambda: _kill_and_start(bench),
    }
    for name, kill in kills.items():
        bench.advance(f"kill -9: {name}")
        took = await _sell_through(bench, section, name, kill)
        section.figures.append(figure(f"first sale after the death of {name}", " s", [took]))
        section.ratios.append(
            Ratio(f"first sale after the death of {name}, s", (took,), RECOVERY_SECONDS_MAX, is_most=True)
        )
    section.broken += await broken_promises(house)
    return section


async def _sell_through(bench: Bench, section: Section, name: str, kill: Callable[[], Awaitable[None]]) -> float:
    """Sell, kill in the middle, sell on; return the seconds from the kill to the first sale after it."""
    log, sales = Log(), list[float]()
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    body = hold_body(on_sale, {"quantity": 1})
    best = await bench.capacity(same_hold(body, f"calm-{name[:3]}"), log.judge, seconds=bench.plan.warm_up_seconds)

    def judge(number: int, answer: Answer) -> str:
        outcome = log.judge(number, answer)
        if outcome == ACCEPTED:
            sales.append(time.monotonic())
        return outcome

    killed_at = 0.0

    async def strike() -> None:
        nonlocal killed_at
        await asyncio.sleep(bench.plan.seconds / 3)
        killed_at = time.monotonic()
        await kill()

    async with bench.connected() as wires:
        crowd = OpenLoop(wires, same_hold(body, f"kill-{name[:3]}"), judge)
        load, _ = await asyncio.gather(
            crowd.run(f"kill -9: {name}", best * LOAD_WHILE_KILLED, bench.plan.seconds + RECOVERY_SECONDS_MAX), strike()
        )
    ended_at = time.monotonic()
    section.loads.append(load)
    await bench.house.ready()
    async with bench.connected(1) as (wire,):
        await served(wire, same_hold(body, f"after-{name[:3]}")(0), (CREATED,))
    if not sales or sales[-1] < ended_at - PAUSE_SECONDS:
        # Selling had not gone on while there was a load; now it does, so that the pause has an end.
        sales.append(time.monotonic())
    section.broken += [
        f"{name}: {complaint}" for complaint in await log.lost(bench.house.database, bench.organizer.organization_id)
    ]
    return went_on(sales, killed_at) - killed_at


def went_on(sales: Sequence[float], killed_at: float) -> float:
    """Return when selling went on: the end of the longest pause after the kill. At least one sale came after it.

    Where no pause was longer than those between batches are on a busy machine, it never stopped: then the kill cost
    the longest one, whenever that was.
    """
    times = [killed_at, *(at for at in sales if at > killed_at)]
    pause, end = max((after - before, after) for before, after in pairwise(times))
    return end if pause > PAUSE_SECONDS else killed_at + pause


async def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def _kill_and_start(bench: Bench) -> None:
    """Kill the whole house, the program that watches over it first, and start it again on its data."""
    house = bench.house
    assert house.child is not None  # noqa: S101 (it runs)
    below = house.pids()
    os.kill(house.child.pid, signal.SIGKILL)
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    await asyncio.to_thread(house.child.wait)
    await house.start()
