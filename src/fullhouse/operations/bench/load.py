"""Load on a server: at a rate that waits for nobody, and as much as so many callers can ask for.

A generator that waits for an answer before it asks again hides every stall, since nobody arrives while the server
stands still. So latency is told from the first kind alone, and counts from the moment when a request was due.
"""

import asyncio
import sys
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fullhouse.operations.bench.figures import Load, percentiles
from fullhouse.operations.bench.wire import Answer, Wire

TICK_SECONDS = 0.001
DRAIN_SECONDS_MAX = 10.0
ACCEPTED = "accepted"
TOLD_TO_WAIT = "told to wait"
FAILED = "failed"
"""Somebody who went on was answered as nobody should be."""
NOT_ANSWERED = "not answered"

T = TypeVar("T")
MakeRequest = Callable[[int], bytes]
Judge = Callable[[int, Answer], str]
"""Names the outcome of a request by its number and answer; may note it in the client's own log."""
GoOn = Callable[[Wire, Answer], Coroutine[Any, Any, str]]
"""What somebody does over the same connection who was accepted; names the outcome of the whole."""


@dataclass(slots=True)
class _Record:
    """What came back so far."""

    latencies: dict[str, "array[float]"] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    answered: dict[str, "array[float]"] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    """When, in seconds from the beginning."""


class OpenLoop:
    """One load at a fixed rate over given connections."""

    def __init__(
        self,
        wires: Sequence[Wire],
        make_request: MakeRequest,
        judge: Judge,
        drain_seconds_max: float = DRAIN_SECONDS_MAX,
        go_on: GoOn | None = None,
    ) -> None:
        """Use open connections, whose number bounds what is under way at once.

        ``drain_seconds_max`` is how long the last answers are waited for. With ``go_on`` who is accepted goes on, and
        counts when that ends.
        """
        self._go_on = go_on
        self._drain_seconds_max = drain_seconds_max
        self._free = deque(wires)
        self._make_request = make_request
        self._judge = judge
        self._record = _Record()
        self._waiting: deque[tuple[int, float]] = deque()
        self._under_way = 0
        self._began = 0.0

    async def run(self, name: str, rate: float, seconds: float) -> Load:
        """Send ``rate`` requests a second for so many seconds, then wait for the last answers."""
        self._began = time.monotonic()
        total = int(rate * seconds)
        number = 0
        while number < total:
            due = min(total, int((time.monotonic() - self._began) * rate) + 1)
            for each in range(number, due):
                self._waiting.append((each, self._began + each / rate))
            number = due
            self._send()
            # A slow load sleeps until its next is due: to look each moment would cost the server what it measures.
            idle = 0.0 if self._waiting else self._began + number / rate - time.monotonic()
            await asyncio.sleep(max(TICK_SECONDS, idle))
        until = time.monotonic() + self._drain_seconds_max
        while (self._under_way or self._waiting) and time.monotonic() < until:
            self._send()
            await asyncio.sleep(TICK_SECONDS)
        return self._tell(name, rate, seconds)

    def _send(self) -> None:
        while self._waiting and self._free:
            wire = self._free.popleft()
            if wire.is_open:
                number, due = self._waiting.popleft()
                self._ask(wire, number, due)
            else:
                self._reopen(wire)

    def _ask(self, wire: Wire, number: int, due: float) -> None:
        self._under_way += 1
        record = self._record

        def end(outcome: str) -> None:
            self._under_way -= 1
            now = time.monotonic()
            record.latencies[outcome].append((now - due) * 1_000)
            record.answered[outcome].append(now - self._began)
            if self._waiting and wire.is_open:
                self._ask(wire, *self._waiting.popleft())
            else:
                self._free.append(wire)

        def done(answer: Answer) -> None:
            outcome = self._judge(number, answer)
            if self._go_on is None or outcome != ACCEPTED:
                end(outcome)
                return
            going_on = _start(self._go_on(wire, answer))
            going_on.add_done_callback(lambda ended: end(FAILED if ended.exception() else ended.result()))

        wire.ask(self._make_request(number), done)

    def _reopen(self, wire: Wire) -> None:
        async def connect() -> None:
            try:
                await wire.open()
            except OSError:
                await asyncio.sleep(0.05)
            self._free.append(wire)

        _start(connect())

    def _tell(self, name: str, rate: float, seconds: float) -> Load:
        counts = {outcome: len(values) for outcome, values in self._record.latencies.items()}
        missing = self._under_way + len(self._waiting)
        if missing:
            counts[NOT_ANSWERED] = missing
        seconds_of = {outcome: Counter(map(int, at)) for outcome, at in self._record.answered.items()}
        length = 1 + max((max(seen) for seen in seconds_of.values()), default=0)
        return Load(
            name,
            rate,
            seconds,
            counts,
            {outcome: percentiles(sorted(values)) for outcome, values in self._record.latencies.items()},
            {outcome: tuple(seen[second] for second in range(length)) for outcome, seen in seconds_of.items()},
        )


def _start(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.create_task(work)
    _started.add(task)
    task.add_done_callback(_started.discard)
    return task


_started: set[asyncio.Task[Any]] = set()
"""What is done beside the load; the event loop alone would let it be collected."""


async def closed_loop(
    wires: Sequence[Wire], seconds: float, make_request: MakeRequest, judge: Judge, count_max: int = sys.maxsize
) -> tuple[float, Counter[str]]:
    """Ask over every connection again as soon as it has answered; return answers a second, and their outcomes.

    It ends after ``seconds``, or when ``count_max`` were asked, which are more than there are connections.
    """
    outcomes: Counter[str] = Counter()
    asked = 0
    began = time.monotonic()
    until = began + seconds
    finished = asyncio.Event()
    running = len(wires)

    def start(wire: Wire) -> None:
        nonlocal asked
        number = asked
        asked += 1

        def done(answer: Answer) -> None:
            nonlocal running
            outcomes[judge(number, answer)] += 1
            if wire.is_open and asked < count_max and time.monotonic() < until:
                start(wire)
                return
            running -= 1
            if not running:
                finished.set()

        wire.ask(make_request(number), done)

    for wire in wires:
        await wire.open()
        start(wire)
    await finished.wait()
    return outcomes.total() / (time.monotonic() - began), outcomes
