"""One instance of a Lambda function: one event loop and at most two database connections, kept between calls.

Lambda gives an instance one call at a time and freezes it between calls. What needs no connection of its own that
lasts, such as LISTEN or an advisory lock, also works behind a pooler that lends connections for one transaction.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from fullhouse.infra import tracing
from fullhouse.infra.resources import Places, Resources, open_resources
from fullhouse.infra.system import now
from fullhouse.infra.telemetry import configure_logging
from fullhouse.settings import Settings, read_settings

CONNECTIONS_MAX = 2
IDLE_SECONDS_MAX = 30
"""After a longer pause between calls, connections are opened anew: the other side may have given them up."""

MARGIN_SECONDS = 3.0
"""What a call leaves of its time, so that it ends by itself and says what it did."""

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class Context(Protocol):
    """What is used of the context that Lambda hands to a call."""

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        ...


def seconds_left(context: Context) -> float:
    """Return how long the work of a call may still take."""
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)


class Instance(Generic[Part]):
    """Opens the parts at the first call, makes of them what the function works with, and keeps both."""

    def __init__(
        self, name: str, make: Callable[[Resources, Settings], Part], environ: Mapping[str, str] = os.environ
    ) -> None:
        """``name`` is what the database calls these connections."""
        self._name = name
        self._make = make
        self._environ = environ
        self._runner = asyncio.Runner()
        self._kept: AsyncExitStack | None = None
        self._open: tuple[Resources, Part] | None = None
        self._called_at: datetime = now()

    def call(self, use: Callable[[Part], Awaitable[Answer]]) -> Answer:
        """Serve one call on the loop of this instance. Raises ``OperatorError`` if a part cannot be opened."""
        return self._runner.run(self._call(use))

    async def _call(self, use: Callable[[Part], Awaitable[Answer]]) -> Answer:
        if self._open is None:
            self._open = await self._open_parts()
        resources, part = self._open
        if now() - self._called_at > timedelta(seconds=IDLE_SECONDS_MAX):
            await resources.pool.expire_connections()
        try:
            return await use(part)
        finally:
            # Lambda may freeze this process as soon as the call has answered, for good.
            await tracing.flush()
            self._called_at = now()

    async def _open_parts(self) -> tuple[Resources, Part]:
        settings = read_settings(self._environ)
        configure_logging(settings.log_level, settings.log_format or "json")
        async with AsyncExitStack() as stack:
            stack.enter_context(
                tracing.traces_to(settings.traces_url, f"fullhouse-{self._name}", settings.traces_ratio)
            )
            resources = await stack.enter_async_context(
                open_resources(places_of(settings), application_name=f"fullhouse-{self._name}")
            )
            part = self._make(resources, settings)
            self._kept = stack.pop_all()
        return resources, part


def places_of(settings: Settings) -> Places:
    """Return where the parts are: Valkey need not be there, and two connections are enough."""
    return settings.model_copy(update={"database_pool_max": CONNECTIONS_MAX}).places(valkey_needed=False)
