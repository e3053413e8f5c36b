"""Valkey as a shield: it makes things faster, and no sale fails because it is away.

Whoever asks it says what to do without an answer. After a failure it is left alone for a second, so that a server
that hangs delays one request and not each.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from fullhouse.core.clock import Clock
from fullhouse.infra.tasks import be_a_task
from fullhouse.infra.telemetry import counter

ANSWER_SECONDS_MAX = 0.25
REST_SECONDS = 1

FAILURES = counter("valkey_failures", "Calls of Valkey that failed or took too long, by purpose.", ["purpose"])
SKIPPED = counter("valkey_skipped", "Calls of Valkey left out because it has just failed, by purpose.", ["purpose"])

Answer = TypeVar("Answer")


class Shield:
    """A client of Valkey that answers with a fallback instead of an error."""

    def __init__(self, valkey: Valkey, clock: Clock) -> None:
        """Wrap a client; nothing is asked yet."""
        self._valkey = valkey
        self._clock = clock
        self._rests_until = datetime.min.replace(tzinfo=UTC)

    async def ask(self, purpose: str, call: Callable[[Valkey], Awaitable[Answer]], fallback: Answer) -> Answer:
        """Return what the call answers, or the fallback after a failure or a quarter of a second.

        ``await shield.ask("availability", lambda valkey: valkey.get(key), None)``. ``purpose`` is a label of metrics,
        so it is one of a few names.
        """
        if self._clock() < self._rests_until:
            SKIPPED.labels(purpose).inc()
            return fallback
        await be_a_task()
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await call(self._valkey)
        except (ValkeyError, OSError):
            FAILURES.labels(purpose).inc()
            self._rests_until = self._clock() + timedelta(seconds=REST_SECONDS)
            return fallback
