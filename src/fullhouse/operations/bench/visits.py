"""Buyers who go further than the hold: the steps of a visit as requests, one after the other on one connection."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fullhouse.infra.errors import OperatorError
from fullhouse.operations.bench.holds import PATH, hold_body
from fullhouse.operations.bench.stock import OnSale
from fullhouse.operations.bench.wire import LOST, Answer, Wire, request

WAIT_STATUSES = frozenset({LOST, 429, 503})


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


class VisitFailed(OperatorError):
    """An answer that a buyer of a benchmark should not get."""


async def hold(wire: Wire, on_sale: OnSale, key: str, item: dict[str, Any]) -> Held | None:
    """Hold places; None where nothing is left."""
    answer = await wire.fetch(request("POST", PATH, (("idempotency-key", key),), hold_body(on_sale, item)))
    if answer.status == 409:
        return None
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
    made = _made(await wire.fetch(request("POST", "/api/v1/orders", headers, json.dumps(body).encode())), "an order")
    return Placed(made["id"], made["secret"])


async def pay(wire: Wire, placed: Placed) -> None:
    """Pay an order with the simulated provider, which succeeds at once."""
    headers = (("authorization", f"Order {placed.secret}"), ("idempotency-key", f"pay-{placed.order_id}"))
    body = b'{"provider":"simulated","outcome":"succeed"}'
    _made(await wire.fetch(request("POST", f"/api/v1/orders/{placed.order_id}/payments", headers, body)), "a payment")


async def codes(wire: Wire, placed: Placed) -> Sequence[str]:
    """Return the codes of an order's tickets, as far as they are issued."""
    headers = (("authorization", f"Order {placed.secret}"),)
    answer = await wire.fetch(request("GET", f"/api/v1/orders/{placed.order_id}", headers))
    return [ticket["code"] for ticket in json.loads(answer.body)["tickets"]]


async def visit_again(
    wires: Sequence[Wire], seconds: float, visit: Callable[[Wire, int], Awaitable[None]]
) -> tuple[int, float]:
    """Let one visitor at a time come over each connection; return how many visits ended, and in what time."""
    began = time.monotonic()
    done = 0

    async def visitor(wire: Wire, first: int) -> None:
        nonlocal done
        number = first
        while time.monotonic() - began < seconds:
            await visit(wire, number)
            number += len(wires)
            done += 1

    await asyncio.gather(*(visitor(wire, number) for number, wire in enumerate(wires)))
    return done, time.monotonic() - began


def _made(answer: Answer, what: str) -> dict[str, Any]:
    if answer.status != 201:
        raise VisitFailed(f"{what}: {answer.status} {answer.body.decode(errors='replace')}")
    made: dict[str, Any] = json.loads(answer.body)
    return made
