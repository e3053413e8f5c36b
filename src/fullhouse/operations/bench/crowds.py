"""Crowds: more than can be served, with health checks and the door beside them, and how such a load is judged."""

import asyncio
import time
from array import array
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

from fullhouse.operations.bench.bench import Bench, by_status
from fullhouse.operations.bench.figures import Load, Ratio, Section, percentile_of, percentiles
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
    """Who comes ``times`` as often a second as was the ``best``, and what they ask for.

    ``answered`` says how all should end. Goodput counts after ``first_seconds``, by which the load is longer.
    """

    name: str
    asks: MakeRequest
    judge: Judge
    best: float
    times: float
    answered: str
    go_on: GoOn | None = None
    first_seconds: int = 0


async def offer(bench: Bench, section: Section, crowd: Crowd) -> Sequence[Load]:
    """Let a crowd come, with health checks and scans beside it; note what came of all three, and judge it.

    Returns its load and theirs.
    """
    bench.advance(crowd.name)
    async with bench.connected(CONNECTIONS) as wires:
        many = OpenLoop(wires, crowd.asks, crowd.judge, go_on=crowd.go_on)
        seconds = crowd.first_seconds + bench.plan.seconds
        loads = await _beside(
            bench, section, many.run(crowd.name, crowd.best * crowd.times, seconds), crowd.name, seconds
        )
    section.loads += loads
    section.ratios += _judged(loads, crowd)
    return loads


async def _beside(bench: Bench, section: Section, many: Awaitable[Load], name: str, seconds: float) -> Sequence[Load]:
    async with bench.connected(8) as probes, bench.connected(8) as gates:
        health = request("GET", "/healthz")
        bearer = (("authorization", f"Bearer {bench.organizer.scanner_key}"),)
        scan = request("POST", "/api/v1/tickets/validate", bearer, b'{"code":"none of ours"}')
        checks = OpenLoop(probes, lambda _: health, by_status)
        door = OpenLoop(gates, lambda _: scan, by_status)
        late = array("d")
        looking = asyncio.create_task(_note_lateness(late))
        before, began = _used(bench), time.monotonic()
        loads = await asyncio.gather(
            many,
            checks.run(f"{name}: health checks", BESIDE_PER_SECOND, seconds),
            door.run(f"{name}: the door", BESIDE_PER_SECOND, seconds),
        )
        took, after = time.monotonic() - began, _used(bench)
        looking.cancel()
    shares = ", ".join(f"{part} {(after[part] - before[part]) / took:.2f}" for part in after)
    worst = percentile_of(percentiles(sorted(late)), 99.0) if late else 0.0
    section.notes.append(f"{name}: processors used: {shares}; the generator itself was late by {worst:.0f} ms (p99)")
    return loads


def _judged(loads: Sequence[Load], crowd: Crowd) -> list[Ratio]:
    """Compare a load, and what went on beside it, with what is to reach."""
    load, *others = loads
    known = load.counts.get(ACCEPTED, 0) + load.counts.get(TOLD_TO_WAIT, 0)
    goodput = load.rate(ACCEPTED, crowd.first_seconds) / crowd.best
    found = [
        Ratio(f"{load.name}: goodput over the best", (goodput,), GOODPUT_SHARE),
        _most(f"{load.name}: p99 of what was accepted, ms", load.percentile(ACCEPTED, 99.0), ACCEPTED_P99_MS),
        _most(f"{load.name}: p99 of refusals, ms", load.percentile(TOLD_TO_WAIT, 99.0), REFUSED_P99_MS),
        Ratio(f"{load.name}: {crowd.answered}", (known / max(1, sum(load.counts.values())),), 1.0),
    ]
    return found + [Ratio(f"{one.name}: answered well, of all", (share(one),), 1.0) for one in others]


def share(load: Load) -> float:
    """Return what part of a load was accepted."""
    return load.counts.get(ACCEPTED, 0) / max(1, sum(load.counts.values()))


def _most(name: str, value: float, at_most: float) -> Ratio:
    return Ratio(name, (value,), at_most, is_most=True)


async def _note_lateness(late: "array[float]") -> None:
    """Note again and again how late this process's own loop is: what it is late stands in every latency."""
    while True:
        due = time.monotonic() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        late.append((time.monotonic() - due) * 1_000)


def _used(bench: Bench) -> dict[str, float]:
    """Return the seconds of processor time of each part so far, and of the generator."""
    used = {part: bench.house.processor_seconds(words) for part, words in PARTS.items()}
    return {**used, "generator": time.process_time()}
