"""Crowds: more than can be served, with health checks and the door beside them, and how such a load is judged."""

import asyncio
import time
from array import array
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fullhouse.operations.bench.bench import Bench, by_status, figure
from fullhouse.operations.bench.figures import Load, Ratio, Section, p99_of
from fullhouse.operations.bench.house import API
from fullhouse.operations.bench.load import ACCEPTED, TOLD_TO_WAIT, GoOn, Judge, MakeRequest, OpenLoop
from fullhouse.operations.bench.wire import request

TIMES: Final = (1.0, 2.0, 4.0)
CONNECTIONS: Final = 2_000
BESIDE_PER_SECOND: Final = 20.0
LOOK_SECONDS: Final = 0.005
PARTS: Final = {"API": API, "PostgreSQL": "postgres", "Valkey": "valkey-server", "worker": " worker"}
GOODPUT_SHARE: Final = 0.8
ACCEPTED_P99_MS: Final = 1_000.0
REFUSED_P99_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who comes, ``per_second`` of them, and what they ask for.

    With ``go_on`` who is accepted goes on. Goodput counts after ``first_seconds``, by which the load is longer.
    """

    name: str
    asks: MakeRequest
    judge: Judge
    per_second: float
    go_on: GoOn | None = None
    first_seconds: int = 0


class Came(NamedTuple):
    """What came of a crowd (the first load) and of those beside it; ``goodput`` is a second's."""

    loads: Sequence[Load]
    goodput: float
    note: str


@dataclass(frozen=True, slots=True)
class Turns:
    """Crowds by turns with what can be served, which is measured before and after each, since machines swing.

    ``best`` is what can be served in a second. ``come`` is told the name of a crowd and how many come a second;
    ``name`` has a place for how many times the best that is. ``answered`` says how all should end.
    """

    name: str
    best: Callable[[], Awaitable[float]]
    come: Callable[[str, float], Awaitable[Came]]
    answered: str

    async def compare(self, section: Section, rounds: int, multiples: Sequence[float]) -> Sequence[float]:
        """Judge crowds of each size, in several rounds; return what could be served each time.

        Of the loads themselves those of the last round are kept.
        """
        bests = [await self.best()]
        seen: defaultdict[str, list[tuple[Came, float]]] = defaultdict(list)
        for _ in range(rounds):
            for times in multiples:
                name = self.name.format(f"{times:g}")
                came = await self.come(name, bests[-1] * times)
                bests.append(await self.best())
                seen[name].append((came, came.goodput / (sum(bests[-2:]) / 2)))
        for name, turns in seen.items():
            crowds, *beside = zip(*(came.loads for came, _ in turns), strict=True)
            section.loads += [crowds[-1], *(same[-1] for same in beside)]
            section.notes.append(turns[-1][0].note)
            section.ratios.append(
                Ratio(f"{name}: goodput over the best", tuple(goodput for _, goodput in turns), GOODPUT_SHARE)
            )
            section.ratios += self._judge(name, crowds, beside)
            section.figures += [figure(f"{same[0].name}, p99", " ms", late(same, ACCEPTED)) for same in beside]
        return bests

    def _judge(self, name: str, crowds: Sequence[Load], beside: Sequence[Sequence[Load]]) -> list[Ratio]:
        known = tuple(share(load, ACCEPTED, TOLD_TO_WAIT) for load in crowds)
        return [
            _most(f"{name}: p99 of what was accepted, ms", late(crowds, ACCEPTED), ACCEPTED_P99_MS),
            _most(f"{name}: p99 of refusals, ms", late(crowds, TOLD_TO_WAIT), REFUSED_P99_MS),
            Ratio(f"{name}: {self.answered}", known, 1.0),
            *(Ratio(f"{same[0].name}: answered well, of all", tuple(map(share, same)), 1.0) for same in beside),
        ]


async def offer(bench: Bench, crowd: Crowd) -> Came:
    """Let a crowd come, with health checks and scans beside it."""
    bench.advance(crowd.name)
    seconds = crowd.first_seconds + bench.plan.seconds
    health = request("GET", "/healthz")
    bearer = (("authorization", f"Bearer {bench.organizer.scanner_key}"),)
    scan = request("POST", "/api/v1/tickets/validate", bearer, b'{"code":"none of ours"}')
    async with bench.connected(CONNECTIONS) as wires, bench.connected(8) as probes, bench.connected(8) as gates:
        many = OpenLoop(wires, crowd.asks, crowd.judge, go_on=crowd.go_on)
        checks = OpenLoop(probes, lambda _: health, by_status)
        door = OpenLoop(gates, lambda _: scan, by_status)
        lateness = array("d")
        looking = asyncio.create_task(_note_lateness(lateness))
        before, began = _used(bench), time.monotonic()
        loads = await asyncio.gather(
            many.run(crowd.name, crowd.per_second, seconds),
            checks.run(f"{crowd.name}: health checks", BESIDE_PER_SECOND, seconds),
            door.run(f"{crowd.name}: the door", BESIDE_PER_SECOND, seconds),
        )
        took, after = time.monotonic() - began, _used(bench)
        looking.cancel()
    shares = ", ".join(f"{part} {(after[part] - before[part]) / took:.2f}" for part in after)
    note = f"{crowd.name}: processors used: {shares}; the generator itself was late by {p99_of(lateness):.0f} ms (p99)"
    return Came(loads, loads[0].rate(ACCEPTED, crowd.first_seconds), note)


def share(load: Load, *outcomes: str) -> float:
    """Return what part of a load ended so; without outcomes, what was accepted."""
    well = sum(load.counts.get(outcome, 0) for outcome in outcomes or (ACCEPTED,))
    return well / max(1, sum(load.counts.values()))


def late(loads: Sequence[Load], outcome: str) -> tuple[float, ...]:
    """Return the p99 of an outcome in each load, in milliseconds."""
    return tuple(load.percentile(outcome, 99.0) for load in loads)


def _most(name: str, values: tuple[float, ...], at_most: float) -> Ratio:
    return Ratio(name, values, at_most, is_most=True)


async def _note_lateness(lateness: "array[float]") -> None:
    """Note again and again how late this process's own loop is: what it is late stands in every latency."""
    while True:
        due = time.monotonic() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        lateness.append((time.monotonic() - due) * 1_000)


def _used(bench: Bench) -> dict[str, float]:
    """Return the seconds of processor time of each part so far, and of the generator."""
    used = {part: bench.house.processor_seconds(words) for part, words in PARTS.items()}
    return {**used, "generator": time.process_time()}
