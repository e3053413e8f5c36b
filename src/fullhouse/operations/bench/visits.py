"""Buyers who go further than the hold: the steps of a visit as requests, one after the other on one connection."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fullhouse.infra.errors import OperatorError
from fullhouse.operations.bench.holds import PATH, hold_body
from fullhouse.operations.bench.stock import OnSale
from fullhouse.operations.bench.wire import LOST, Answer, Wire, request

COME_LATER = frozenset({429, 503})
WAIT_STATUSES = COME_LATER | {LOST}
PATIENCE_SECONDS = 30.0
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation that its buyer has."""

    reservation_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that its buyer placed."""

    order_id: str
    secret: str


class Visits(NamedTuple):
    """When each visit ended that came to its end, and how many were told to come back before they had anything.

    In seconds from the beginning, of which ``seconds`` are until the last one ended.
    """

    ended: Sequence[float]
    seconds: float
    sent_away: int

    @property
    def done(self) -> int:
        """How many came to their end."""
        return len(self.ended)

    def rate(self, since: float, until: float) -> float:
        """Return how many ended a second between two moments, while others came and went."""
        return sum(since <= at < until for at in self.ended) / (until - since)


class VisitFailed(OperatorError):
    """An answer that a buyer of a benchmark should not get."""


class ComeLater(VisitFailed):
    """A buyer who has nothing yet was told to come back after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        """Remember how long to stay away."""
        super().__init__(f"a hold: come back in {seconds:.0f} s")
        self.seconds = seconds


async def hold(wire: Wire, on_sale: OnSale, key: str, item: dict[str, Any]) -> Held | None:
    """Hold places; None where nothing is left. Raises ``ComeLater``."""
    answer = await wire.fetch(request("POST", PATH, (("idempotency-key", key),), hold_body(on_sale, item)))
    if answer.status == 409:
        return None
    if answer.status in COME_LATER:
        raise ComeLater(retry_after(answer))
    made = _made(answer, "a hold")
    return Held(made["id"], made["token"])


async def give_back(wire: Wire, held: Held) -> None:
    """Give a reservation back."""
    headers = (("authorization", f"Reservation {held.token}"),)
    answer = await wire.fetch(request("DELETE", f"{PATH}/{held.reservation_id}", headers))
    if answer.status != 204:
        raise VisitFailed(f"giving back: {answer.status} {answer.body.decode(errors='replace')}")


async def order(wire: Wire, held: Held) -> Placed:
    """Place an order from a reservation."""
    headers = (("authorization", f"Reservation {held.token}"), ("idempotency-key", f"order-{held.reservation_id}"))
    body = {"reservation_id": held.reservation_id, "email": "buyer@example.com", "name": "Ana Souza"}
    asked = request("POST", "/api/v1/orders", headers, json.dumps(body).encode())
    made = _made(await _patiently(wire, asked), "an order")
    return Placed(made["id"], made["secret"])


async def pay(wire: Wire, placed: Placed) -> None:
    """Pay an order with the simulated provider, which succeeds at once."""
    headers = (("authorization", f"Order {placed.secret}"), ("idempotency-key", f"pay-{placed.order_id}"))
    body = b'{"provider":"simulated","outcome":"succeed"}'
    asked = request("POST", f"/api/v1/orders/{placed.order_id}/payments", headers, body)
    _made(await _patiently(wire, asked), "a payment")


async def codes(wire: Wire, placed: Placed) -> Sequence[str]:
    """Return the codes of an order's tickets, as far as they are issued."""
    headers = (("authorization", f"Order {placed.secret}"),)
    answer = await wire.fetch(request("GET", f"/api/v1/orders/{placed.order_id}", headers))
    return [ticket["code"] for ticket in json.loads(answer.body)["tickets"]]


async def visit_again(wires: Sequence[Wire], seconds: float, visit: Callable[[Wire, int], Awaitable[None]]) -> Visits:
    """Let one visitor at a time come over each connection.

    Who is told to come back before they have anything stays away as long as told, and their visit does not count.
    """
    began = time.monotonic()
    ended: list[float] = []
    sent_away = 0

    async def visitor(wire: Wire, first: int) -> None:
        nonlocal sent_away
        number = first
        while time.monotonic() - began < seconds:
            try:
                await visit(wire, number)
            except ComeLater as told:
                sent_away += 1
                await asyncio.sleep(min(told.seconds, max(0.0, began + seconds - time.monotonic())))
            else:
                ended.append(time.monotonic() - began)
            number += len(wires)

    await asyncio.gather(*(visitor(wire, number) for number, wire in enumerate(wires)))
    return Visits(ended, time.monotonic() - began, sent_away)


def retry_after(answer: Answer) -> float:
    """Read in how many seconds to come back; 1 where that is not told."""
    told = _RETRY_AFTER.search(answer.head)
    return float(told[1]) if told else 1.0


async def _patiently(wire: Wire, asked: bytes) -> Answer:
    """Ask again as long as the buyer is told to, who does not want to lose what they hold."""
    gives_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await wire.fetch(asked)
        if answer.status not in COME_LATER or time.monotonic() > gives_up:
            return answer
        await asyncio.sleep(retry_after(answer))


def _made(answer: Answer, what: str) -> dict[str, Any]:
    if answer.status != 201:
        raise VisitFailed(f"{what}: {answer.status} {answer.body.decode(errors='replace')}")
    made: dict[str, Any] = json.loads(answer.body)
    return made
