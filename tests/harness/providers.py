"""Providers that behave badly in chosen ways, around the simulated one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.payments.news import News, RefundNews, Told
from fullhouse.payments.providers.port import Attempt, Notice, ProviderKeys, RefundCall, SentNotice, Started
from fullhouse.payments.providers.simulated import SimulatedProvider
from fullhouse.payments.rules import Charge, ProviderUnavailable, RefundStatus

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


@dataclass
class FaultyProvider:
    """Passes calls on to the simulated provider.

    ``faults`` maps a function's name to errors that its next calls raise, one each: before the call is passed on, or
    after it where ``answers_lost``. ``pauses`` maps a name to an event that its calls wait for.
    """

    inner: SimulatedProvider
    faults: dict[str, list[Exception]] = field(default_factory=dict[str, list[Exception]])
    answers_lost: bool = False
    pauses: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    calls: list[str] = field(default_factory=list[str])
    called: asyncio.Event = field(default_factory=asyncio.Event)
    undecided: bool = False
    """Whether cancellations are answered with "still open", and refunds with "not done yet"."""

    def attempt_seconds_min(self, options: Mapping[str, Any]) -> int:  # noqa: ARG002 (all are alike)
        return 1800

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        return self.inner.check_options(options)

    async def check_keys(self, keys: ProviderKeys) -> bool:
        return await self.inner.check_keys(keys)

    async def is_offered(self, organization_id: UUID) -> bool:
        return await self.inner.is_offered(organization_id)

    async def start(self, attempt: Attempt) -> Started:
        return await self._through("start", self.inner.start, attempt)

    async def fetch(self, attempt: Attempt) -> Charge | None:
        return await self._through("fetch", self.inner.fetch, attempt)

    async def cancel(self, attempt: Attempt) -> Charge:
        if self.undecided:
            self.calls.append("cancel")
            charge = await self.inner.fetch(attempt)
            assert charge is not None
            return charge
        return await self._through("cancel", self.inner.cancel, attempt)

    async def refund(self, call: RefundCall) -> RefundNews:
        news = await self._through("refund", self.inner.refund, call)
        return replace(news, status=RefundStatus.REQUESTED) if self.undecided else news

    async def read_notice(self, sent: SentNotice, now: datetime) -> Notice | None:
        return await self.inner.read_notice(sent, now)

    def news_in(self, body: Mapping[str, Any]) -> News | None:
        return self.inner.news_in(body)

    async def list_news(self, organization_id: UUID, since: datetime, until: datetime) -> Sequence[Told]:
        if self.faults.get("list_news"):
            raise self.faults["list_news"].pop(0)
        return await self.inner.list_news(organization_id, since, until)

    async def close(self) -> None:
        await self.inner.close()

    async def _through(
        self, name: str, function: Callable[[Argument], Awaitable[Answer]], argument: Argument
    ) -> Answer:
        self.calls.append(name)
        self.called.set()
        if name in self.pauses:
            await self.pauses[name].wait()
        fault = self.faults[name].pop(0) if self.faults.get(name) else None
        if fault is not None and not self.answers_lost:
            raise fault
        answer = await function(argument)
        if fault is not None:
            raise fault
        return answer


def away() -> ProviderUnavailable:
    """Make the error of a provider that does not answer."""
    return ProviderUnavailable("It did not answer.", retry_after_seconds=1)
