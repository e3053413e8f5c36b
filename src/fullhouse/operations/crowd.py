"""Buyers of many habits, over HTTP as any client would: they pick seats, leave, decline, pay late, pay.

Which buyer does what follows from their number alone, so that a run can be repeated.
"""

import asyncio
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

ENDED = frozenset({"paid", "cancelled", "expired", "refunded"})
PATIENCE_SECONDS = 90.0
LOOK_AGAIN_SECONDS = 0.4
SEAT_TRIES = 6

HABITS = (
    "pays",
    "pays",
    "pays",
    "leaves after holding",
    "pays",
    "is declined, then pays",
    "leaves after ordering",
    "pays",
    "is declined three times",
    "pays late",
    "cancels, and the money comes late",
    "loses the provider's answer",
    "gives back, and starts again",
)


@dataclass(frozen=True, slots=True)
class Venue:
    """A session that the crowd buys for. ``seats`` are the keys of its map in map order; none for standing."""

    session_id: str
    ticket_types: Sequence[str]
    seats: Sequence[str] = ()


@dataclass(slots=True)
class Sale:
    """An order that a buyer placed, with the secret that opens it and what it became."""

    order_id: str
    secret: str
    order: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def headers(self) -> dict[str, str]:
        """The credential of its holder."""
        return {"Authorization": f"Order {self.secret}"}


class BuyerFailed(Exception):
    """An answer that no buyer should get."""


class Crowd:
    """Buyers who come at once. ``stories`` counts how their visits ended."""

    def __init__(self, client: httpx.AsyncClient, done: Callable[[], None]) -> None:
        """Use a client whose base URL ends in ``/api/v1/``; ``done`` is called when a buyer has left."""
        self._client = client
        self._done = done
        self.stories: Counter[str] = Counter()
        self.sales: list[Sale] = []

    async def buy(self, venue: Venue, buyers: int) -> None:
        """Send so many buyers at the same moment and wait until each has left or has their tickets."""
        door = asyncio.Event()
        tasks = [asyncio.create_task(self._visit(venue, number, door)) for number in range(buyers)]
        door.set()
        await asyncio.gather(*tasks)

    async def _visit(self, venue: Venue, number: int, door: asyncio.Event) -> None:
        await door.wait()
        habit = HABITS[number % len(HABITS)]
        story = await self._act(venue, number, habit)
        self.stories[f"{habit}: {story}"] += 1
        self._done()

    async def _act(self, venue: Venue, number: int, habit: str) -> str:
        held = await self._hold(venue, number)
        if held is None:
            return "found nothing left"
        if habit == "leaves after holding":
            return "left"
        if habit == "gives back, and starts again":
            await self._give_back(held)
            held = await self._hold(venue, number, visit=2)
            if held is None:
                return "found nothing left"
        sale = await self._order(held, number)
        if habit == "leaves after ordering":
            return "left"
        return await self._pay(sale, habit)

    async def _hold(self, venue: Venue, number: int, visit: int = 1) -> Mapping[str, Any] | None:
        quantity = 1 + number % 4
        for attempt in range(SEAT_TRIES):
            item: dict[str, Any] = {"ticket_type_id": venue.ticket_types[number % len(venue.ticket_types)]}
            if not venue.seats:
                item["quantity"] = quantity
            elif number % 2 or attempt == SEAT_TRIES - 1:
                item["best_available"] = quantity
            else:
                item["seats"] = await self._pick(venue, number + attempt, quantity)
            if item.get("seats") == []:
                return None
            answer = await self._client.post(
                "reservations",
                json={"session_id": venue.session_id, "items": [item]},
                headers={"Idempotency-Key": f"hold-{number}-{visit}-{attempt}"},
            )
            if answer.status_code == 201:
                return answer.json()
            if answer.status_code != 409:
                raise BuyerFailed(f"POST /reservations: {answer.status_code} {answer.text}")
            if answer.json()["code"] == "sold_out":
                return None
        return None

    async def _pick(self, venue: Venue, number: int, quantity: int) -> list[str]:
        """Look at the room and point at free seats, as people do: many want the same ones."""
        answer = await self._client.get(f"sessions/{venue.session_id}/availability")
        bits = b64decode(_body(answer, 200)["seats"])
        free = [index for index in range(len(venue.seats)) if not bits[index >> 2] >> (index & 3) * 2 & 3]
        if not free:
            return []
        start = number * 7 % max(1, len(free) // 3)
        return [venue.seats[index] for index in free[start : start + quantity]]

    async def _give_back(self, held: Mapping[str, Any]) -> None:
        answer = await self._client.delete(
            f"reservations/{held['id']}", headers={"Authorization": f"Reservation {held['token']}"}
        )
        if answer.status_code != 204:
            raise BuyerFailed(f"DELETE /reservations: {answer.status_code} {answer.text}")

    async def _order(self, held: Mapping[str, Any], number: int) -> Sale:
        answer = await self._client.post(
            "orders",
            json={
                "reservation_id": held["id"],
                "email": f"buyer{number}@example.com",
                "name": NAMES[number % len(NAMES)],
                "language": "pt-BR" if number % 2 else "en",
            },
            headers={"Authorization": f"Reservation {held['token']}", "Idempotency-Key": f"order-{held['id']}"},
        )
        placed = _body(answer, 201)
        sale = Sale(placed["id"], placed["secret"], placed)
        self.sales.append(sale)
        return sale

    async def _pay(self, sale: Sale, habit: str) -> str:
        outcomes = {
            "is declined, then pays": ("decline", "succeed"),
            "is declined three times": ("decline", "decline", "decline"),
            "pays late": ("late",),
            "cancels, and the money comes late": ("late",),
            "loses the provider's answer": ("lost_answer",),
        }.get(habit, ("succeed",))
        for number, outcome in enumerate(outcomes):
            await self._try_to_pay(sale, outcome, number)
        if habit.startswith("cancels"):
            await self._client.post(f"orders/{sale.order_id}/cancel", headers=sale.headers)
            return await self._until(sale, lambda order: order["status"] in {"paid", "refunded", "paid_unseated"})
        return await self._until(sale, lambda order: order["status"] in ENDED)

    async def _try_to_pay(self, sale: Sale, outcome: str, number: int) -> None:
        answer = await self._client.post(
            f"orders/{sale.order_id}/payments",
            json={"provider": "simulated", "outcome": outcome},
            headers={**sale.headers, "Idempotency-Key": f"pay-{sale.order_id}-{number}"},
        )
        _body(answer, 201)
        if outcome == "decline":
            await self._until_declined(sale, number + 1)

    async def _until_declined(self, sale: Sale, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self._client.get(f"orders/{sale.order_id}/payments", headers=sale.headers)
                payments = _body(answer, 200)["items"]
                if sum(payment["status"] == "declined" for payment in payments) >= count:
                    return
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _until(self, sale: Sale, ended: Callable[[Mapping[str, Any]], bool]) -> str:
        """Look at the order until it has ended and, if it is paid, has its tickets."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self._client.get(f"orders/{sale.order_id}", headers=sale.headers)
                sale.order = order = _body(answer, 200)
                wanted = sum(line["quantity"] for line in order["lines"])
                if ended(order) and (order["status"] != "paid" or len(order["tickets"]) >= wanted):
                    return str(order["status"])
                await asyncio.sleep(LOOK_AGAIN_SECONDS)


NAMES = (
    "Ana Souza",
    "João Conceição",
    "Ελένη Παπαδοπούλου",
    "ليلى حداد",
    "山田 花子",
    "Zoë Müller",
    "Siobhán O'Connor",
)
"""Invented names in scripts that a ticket must be able to show."""


def _body(answer: httpx.Response, status: int) -> Any:  # noqa: ANN401 (a JSON value)
    if answer.status_code != status:
        raise BuyerFailed(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    return answer.json()
