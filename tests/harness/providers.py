"""Providers that behave badly in chosen ways, around the simulated one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from fullhouse.core.json import Json
from fullhouse.payments.providers.port import ChargeKey, Notice, RefundCall, Refunded, StartCall, Started
from fullhouse.payments.providers.simulated import SimulatedProvider
from fullhouse.payments.rules import Charge, ProviderUnavailable

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

    @property
    def attempt_seconds_min(self) -> int:
        return 1800

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        return self.inner.check_options(options)

    async def start(self, call: StartCall) -> Started:
        return await self._through("start", self.inner.start, call)

    async def fetch(self, key: ChargeKey) -> Charge | None:
        return await self._through("fetch", self.inner.fetch, key)

    async def cancel(self, key: ChargeKey) -> Charge:
        if self.undecided:
            self.calls.append("cancel")
            charge = await self.inner.fetch(key)
            assert charge is not None
            return charge
        return await self._through("cancel", self.inner.cancel, key)

    async def refund(self, call: RefundCall) -> Refunded:
        if self.undecided:
            self.calls.append("refund")
            return Refunded("pending", done=False)
        return await self._through("refund", self.inner.refund, call)

    def read_notice(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> Notice | None:
        return self.inner.read_notice(raw, headers, now)

    def charge_in(self, body: Mapping[str, Any]) -> Charge | None:
        return self.inner.charge_in(body)

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
