"""More load than the machine can take: whoever comes too many is told so at once, and the others are served.

A process that takes every request serves none in time: all wait in one another's way. So it has only so many under way
as it can serve without falling behind. How many that is nobody sets: the event loop tells by how late it is, and those
who were served by how long they waited, as they do where commits are slow and the loop is idle. The limit shrinks by a
share where that is too long, and grows by a little where it was needed (as TCP finds its rate). Where they wait
for each other, more of them would all wait longer; where they wait for a slow disk, more can wait with them. The wait
alone does not tell, so where it is rather long more are let in on trial, and stay if it got no longer for it.

Who waits longest has most to lose: newcomers are refused first, those who already hold something only at twice the
limit, and the door, health checks, metrics and notices of payments never; nor are pages, which people would see broken.
"""

import asyncio
import re
import time
from contextlib import suppress
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from fullhouse.core.errors import Unavailable
from fullhouse.infra.telemetry import counter, gauge, get_log
from fullhouse.web.paths import API_PREFIX

LIMIT_MIN: Final = 128
LIMIT_MAX: Final = 2_048
LIMIT_FIRST: Final = 256
LATE_SECONDS_MAX: Final = 0.03
"""A loop that is later than this shrinks the limit: what is refused waits no longer than about this."""
EASY_SECONDS: Final = 0.012
WAIT_SECONDS_MAX: Final = 0.25
"""Where those who are served wait longer than this, there are too many of them."""
WAIT_SECONDS_COUNTED: Final = 1.0
"""Longer waits count as this: one long export says little of what the others wait."""
REFUSING_SECONDS: Final = 0.00002
"""What it takes the loop to refuse somebody, about: reading, and writing the answer."""
COMPANY_FROM_SECONDS: Final = 0.1
"""Where those who are served wait as long as this, who comes waits for company."""
COMPANY_FROM_COUNT: Final = LIMIT_MIN // 2
"""With fewer under way nobody does: what was long a while ago says little."""
COMPANY_SHARE: Final = 0.125
COMPANY_SECONDS_MAX: Final = 0.025
_WEIGHT: Final = 1 / 64
"""Of the last answer in what is known of waiting."""
SHRINK_SHARE: Final = 0.75
GROW_BY: Final = 16
TRIAL_GROWTH: Final = 1.5
"""A limit on trial is so much larger."""
TRIAL_LENGTHENING_MAX: Final = 1.2
"""It stays if people wait no longer than so much as before: half of what they would if all waited for each other."""
TRIAL_WAITS: Final = 2
"""After so many waits it is known."""
TRIAL_REST_SECONDS: Final = 2.0
"""After one that was in vain."""
LOOK_SECONDS: Final = 0.02
LOG_SECONDS: Final = 1.0
RETRY_SECONDS: Final = (1, 2, 3)
"""Told by turns, so that those who were sent away do not come back at once."""

REFUSED = counter("requests_refused_overloaded", "Requests that were told to come back, since there were too many.")
LIMIT = gauge("requests_limit", "How many requests this process has under way at most, as it finds by itself.")

_log = get_log("web.overload")


class Overloaded(Unavailable):
    """There are more requests than can be served; ``retry_after_seconds`` says when to ask again."""

    code = "overloaded"
    title = "More people are here than can be served at this moment."


_REFUSALS: Final = tuple(Overloaded(retry_after_seconds=seconds) for seconds in RETRY_SECONDS)
"""They are answered with, and never raised."""


class Rank(IntEnum):
    """Who is refused first."""

    NEWCOMER = 1
    """Whoever has nothing yet: looking, and asking for places."""
    HOLDER = 2
    """Whoever has a reservation, an order or a ticket and goes on with it."""
    ALWAYS = 3
    """The door, notices of payments, health checks, metrics and pages; and streams, which have limits of their own."""


_ALWAYS: Final = (f"{API_PREFIX}/tickets/validate", f"{API_PREFIX}/payments/webhooks/")
_HOLDERS: Final = (f"{API_PREFIX}/orders", f"{API_PREFIX}/reservations/", f"{API_PREFIX}/tickets/")
_STREAM: Final = "/stream"


@lru_cache(maxsize=4_096)
def rank_of(path: str) -> Rank:
    """Say who somebody is by the path that they ask for, which may end in a query."""
    if not path.startswith(API_PREFIX) or path.startswith(_ALWAYS) or path.partition("?")[0].endswith(_STREAM):
        return Rank.ALWAYS
    return Rank.HOLDER if path.startswith(_HOLDERS) else Rank.NEWCOMER


class _Before(NamedTuple):
    """The limit before a larger one was tried, and how long people waited."""

    limit: float
    wait_seconds: float


class Gate:
    """How many requests a process has under way, and how many it may have."""

    __slots__ = (
        "_looks_until_shrinking",
        "_looks_until_trying",
        "_needed",
        "_refused",
        "_refusing",
        "_took",
        "_took_squared",
        "_trial",
        "_was_late",
        "limit",
        "under_way",
    )

    def __init__(self, limit: float = LIMIT_FIRST) -> None:
        """Begin with a guess."""
        self.limit = limit
        self.under_way = 0
        self._needed = False
        self._was_late = False
        self._refused = 0
        """Since the log was told."""
        self._refusing = 0
        """Since the loop was looked at."""
        self._took = self._took_squared = 0.0
        self._looks_until_shrinking = 0
        self._looks_until_trying = 0
        self._trial: _Before | None = None

    @property
    def is_tight(self) -> bool:
        """Whether anybody would be refused now."""
        return self.under_way >= self.limit

    def refuses(self, rank: Rank) -> bool:
        """Say whether somebody of a rank has to come back later."""
        if rank is Rank.ALWAYS or self.under_way < self.limit * (2 if rank is Rank.HOLDER else 1):
            return False
        self._needed = True
        return True

    def count(self, change: int) -> None:
        """Count a request that is under way (1), or is no more (-1)."""
        self.under_way += change
        if self.under_way >= self.limit:
            self._needed = True

    def refuse(self) -> Overloaded:
        """Return a refusal, and count it."""
        self._refused += 1
        self._refusing += 1
        return _REFUSALS[self._refused % len(_REFUSALS)]

    def note_lateness(self, seconds: float) -> None:
        """Shrink the limit where the loop was late again; let it grow where it was in time and the limit was reached.

        Once is no overload: a process that has just started, or was stopped for a moment, catches up by itself. What
        it takes to refuse people does not count: nobody would be refused sooner if fewer were served.
        """
        REFUSED.inc(self._refusing)
        seconds -= self._refusing * REFUSING_SECONDS
        self._refusing = 0
        is_late, was_late = seconds > LATE_SECONDS_MAX, self._was_late
        self._was_late = is_late
        if (is_late and was_late) or self._is_slow():
            # Less than what is under way, or a limit that was never reached would have to shrink for long.
            self.limit = max(LIMIT_MIN, min(self.limit, self.under_way) * SHRINK_SHARE)
            self._trial = None
        elif seconds < EASY_SECONDS and (self._needed or self.is_tight):
            self._grow()
        self._needed = False
        LIMIT.set(self.limit)

    def note_answered(self, seconds: float) -> None:
        """Take note of how long somebody waited who was served."""
        took = min(seconds, WAIT_SECONDS_COUNTED)
        self._took += (took - self._took) * _WEIGHT
        self._took_squared += (took * took - self._took_squared) * _WEIGHT

    @property
    def wait_seconds(self) -> float:
        """How long those who are under way wait, about.

        Each answer counts by its own length: of those who are under way at a moment, most are those who wait long,
        however many others are answered at once beside them.
        """
        return self._took_squared / self._took if self._took else 0.0

    def patience(self) -> float:
        """Return how many seconds after another a small batch leaves: a part of what others wait, 0 if that is little.

        A small batch costs nearly as much as a large one. So where all wait for processors, fewer serve more people.
        """
        waits = self.wait_seconds
        if waits < COMPANY_FROM_SECONDS or self.under_way < COMPANY_FROM_COUNT:
            return 0.0
        return min(COMPANY_SECONDS_MAX, waits * COMPANY_SHARE)

    def _grow(self) -> None:
        """Let more in: a few where people wait little; else many, on trial, and no more if they wait longer for it."""
        waits = self.wait_seconds
        if waits < WAIT_SECONDS_MAX / 2:
            self._trial = None
            self.limit = min(LIMIT_MAX, self.limit + GROW_BY)
        elif self._looks_until_trying:
            self._looks_until_trying -= 1
        elif self._trial is not None and waits > self._trial.wait_seconds * TRIAL_LENGTHENING_MAX:
            self.limit = min(self.limit, self._trial.limit)
            self._trial = None
            self._looks_until_trying = round(TRIAL_REST_SECONDS / LOOK_SECONDS)
        elif waits < WAIT_SECONDS_MAX:
            self._trial = _Before(self.limit, waits)
            self.limit = min(LIMIT_MAX, self.limit * TRIAL_GROWTH)
            self._looks_until_trying = round(TRIAL_WAITS * waits / LOOK_SECONDS)

    def _is_slow(self) -> bool:
        """Say whether to shrink since those who are served wait too long: then not again before it can be felt."""
        if self._looks_until_shrinking:
            self._looks_until_shrinking -= 1
            return False
        if self.wait_seconds <= WAIT_SECONDS_MAX or self.under_way * 2 < self.limit:
            return False
        self._looks_until_shrinking = round(self.wait_seconds / LOOK_SECONDS)
        return True

    def take_refused(self) -> int:
        """Return how many were refused since this was last asked."""
        since, self._refused = self._refused, 0
        return since


async def watch(gate: Gate) -> None:
    """Look again and again how late the event loop is, until cancelled; say once a second that people are refused."""
    said_at = 0.0
    with suppress(asyncio.CancelledError):
        while True:
            due = time.monotonic() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            gate.note_lateness(now - due)
            if now - said_at > LOG_SECONDS and (refused := gate.take_refused()):
                said_at = now
                _log.warning("overloaded", refused=refused, limit=round(gate.limit), under_way=gate.under_way)


_LINE: Final = re.compile(rb"[^ \r\n]+ ([^ \r\n]+) HTTP/1\.1")
_LINE_BYTES_MAX: Final = 1_024
"""Longer first lines are not remembered, but left to the parser."""
_TOLD: Final = re.compile(
    rb"\r\n(?:(content-length):[ \t]*([0-9]{1,12})[ \t]*(?=\r\n)"
    rb"|content-length|x-request-id|transfer-encoding|expect:|connection:[ \t]*close)",
    re.IGNORECASE,
)
"""The fields that matter here: the length of the body, and what is not plain at a glance."""


@lru_cache(maxsize=4_096)
def _rank_of_line(line: bytes) -> Rank | None:
    found = _LINE.fullmatch(line)
    return None if found is None else rank_of(found[1].decode("ascii", errors="replace"))


def rank_at_a_glance(data: bytes) -> Rank | None:
    """Say who asks, if these bytes are one whole request that asks for nothing unusual; else None.

    What it does not understand at a glance is left to the parser, and refused behind it.
    """
    line_end = data.find(b"\r\n")
    end = data.find(b"\r\n\r\n", line_end)
    if end < 0 or line_end > _LINE_BYTES_MAX:
        return None
    rank = _rank_of_line(data[:line_end])
    if rank is None:
        return None
    length = 0
    # From the end of the first line, which begins the first field, to the last field's.
    for told, digits in _TOLD.findall(data, line_end, end + 2):
        if not told:
            return None
        length = int(digits)
    return rank if len(data) == end + 4 + length else None
