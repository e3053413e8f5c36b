"""Stripe as the buyer, the buyer's bank and the organizer's hand use it: played in the simulator's books, or by calls.

``STRIPE_API_KEY`` of a test account makes the suite run against Stripe too, by the cards that Stripe has for tests.
What Stripe cannot be made to do (lost answers, the hosted page without a browser) skips its test by name. With the
simulator's own key the calls are made to the simulator, which tries this file itself.
"""

import asyncio
import json
import os
import time
from typing import Any, NoReturn, Protocol

import httpx
import pytest

from fullhouse.payments.providers.stripe import API_VERSION
from harness.stripe_simulator.books import CARDS, Thing
from harness.stripe_simulator.server import SECRET_KEY, StripeSimulator

STRIPE_URL = "https://api.stripe.com"
WAIT_SECONDS_MAX = 60.0
WINS = {"won": "winning_evidence", "lost": "losing_evidence"}
TARGETS = ("simulator", "Stripe itself") if "_test_" in os.environ.get("STRIPE_API_KEY", "") else ("simulator",)


class StripeAccount(Protocol):
    """One account, played for a test."""

    form: str
    """How buyers pay where a test does not say."""

    async def pay(self, reference: str, card: str) -> None:
        """Let the buyer enter a card."""
        ...

    async def told(self) -> list[Thing]:
        """Return all that Stripe told of this test's payments, the oldest first, once it is quiet."""
        ...

    async def taken_minor(self) -> int:
        """Add up what Stripe holds of this test's payments."""
        ...

    async def refunds(self) -> list[int]:
        """List the refunds that Stripe made, the oldest first."""
        ...

    async def refund_by_hand(self, intent: str, amount: int | None) -> None:
        """Give money back in Stripe's own pages."""
        ...

    async def dispute_of(self, intent: str) -> str:
        """Return the dispute that the card ``disputed`` brought."""
        ...

    async def end_dispute(self, dispute: str, end: str) -> None:
        """Let a dispute be won or lost."""
        ...

    async def fail_refund(self, refund: str) -> None:
        """Let the bank send a refund of the card ``refund_fails`` back."""
        ...

    async def is_ended(self, reference: str) -> bool:
        """Say whether a session or intent takes no money any more."""
        ...


class SimulatedAccount:
    """Played in the books."""

    form = "hosted_page"

    def __init__(self, simulator: StripeSimulator) -> None:
        self.books = simulator.books

    async def pay(self, reference: str, card: str) -> None:
        self.books.pay(reference, card)

    async def told(self) -> list[Thing]:
        return self.books.events

    async def taken_minor(self) -> int:
        return self.books.taken_minor()

    async def refunds(self) -> list[int]:
        return [thing["amount"] for thing in self.books.things.values() if thing["object"] == "refund"]

    async def refund_by_hand(self, intent: str, amount: int | None) -> None:
        self.books.create_refund({"payment_intent": intent, **({"amount": amount} if amount else {})})

    async def dispute_of(self, intent: str) -> str:
        things = self.books.things.values()
        return next(one["id"] for one in things if one["object"] == "dispute" and one["payment_intent"] == intent)

    async def end_dispute(self, dispute: str, end: str) -> None:
        self.books.end_dispute(dispute, end)

    async def fail_refund(self, refund: str) -> None:
        self.books.end_refund(refund, "failed")

    async def is_ended(self, reference: str) -> bool:
        return self.books.things[reference]["status"] in {"expired", "canceled"}


class CalledAccount:
    """Played by calls to Stripe, or to the simulator under its own key."""

    form = "payment_intent"

    def __init__(self, url: str, secret_key: str) -> None:
        self.secret_key = secret_key
        headers = {"Stripe-Version": API_VERSION}
        self.client = httpx.AsyncClient(base_url=url, auth=(secret_key, ""), headers=headers, timeout=30)
        self.since = int(time.time()) - 1
        self.intents: set[str] = set()

    async def call(self, method: str, path: str, declined: int = 200, **fields: Any) -> Thing:
        form: Any = {"params" if method == "GET" else "data": fields}
        answer = await self.client.request(method, f"/v1/{path}", **form)
        assert answer.status_code in {200, declined}, answer.text
        return answer.json()

    async def pay(self, reference: str, card: str) -> None:
        if not reference.startswith("pi_"):
            pytest.skip("Stripe's hosted page is paid in a browser")
        if card not in CARDS:
            pytest.skip(f"Stripe has no card for tests that is {card} without a browser")
        self.intents.add(reference)
        fields = {"payment_method": CARDS[card], "return_url": "https://tickets.example.com/"}
        await self.call("POST", f"payment_intents/{reference}/confirm", 402, **fields)

    async def told(self) -> list[Thing]:
        """Wait until nothing new was told for three seconds, since Stripe tells a moment later."""
        found: list[Thing] = []
        for _ in range(20):
            listed = await self.call("GET", "events", **{"created[gte]": self.since, "limit": 100})
            mine = [one for one in listed["data"] if any(intent in json.dumps(one) for intent in self.intents)]
            if mine and len(mine) == len(found):
                mine.reverse()  # lists begin with the newest
                return sorted(mine, key=lambda one: one["created"])
            found = mine
            await asyncio.sleep(3 if self.client.base_url.host == "api.stripe.com" else 0)
        return found

    async def taken_minor(self) -> int:
        total = 0
        for intent in self.intents:
            charges = (await self.call("GET", "charges", payment_intent=intent))["data"]
            total += sum(one["amount_captured"] - one["amount_refunded"] for one in charges if one["paid"])
        return total

    async def refunds(self) -> list[int]:
        listed = [await self.call("GET", "refunds", payment_intent=intent, limit=100) for intent in self.intents]
        return [one["amount"] for some in listed for one in reversed(some["data"])]

    async def refund_by_hand(self, intent: str, amount: int | None) -> None:
        await self.call("POST", "refunds", payment_intent=intent, **({"amount": amount} if amount else {}))

    async def dispute_of(self, intent: str) -> str:
        listed = await self._until("disputes", lambda one: bool(one["data"]), payment_intent=intent)
        return str(listed["data"][0]["id"])

    async def end_dispute(self, dispute: str, end: str) -> None:
        evidence: dict[str, Any] = {"evidence[uncategorized_text]": WINS[end], "submit": "true"}
        await self.call("POST", f"disputes/{dispute}", **evidence)
        await self._until(f"disputes/{dispute}", lambda one: one["status"] == end)

    async def fail_refund(self, refund: str) -> None:
        await self._until(f"refunds/{refund}", lambda one: one["status"] == "failed")

    async def is_ended(self, reference: str) -> bool:
        kind = "payment_intents" if reference.startswith("pi_") else "checkout/sessions"
        return (await self.call("GET", f"{kind}/{reference}"))["status"] in {"expired", "canceled"}

    async def _until(self, path: str, is_so: Any, **query: Any) -> Thing:
        for _ in range(int(WAIT_SECONDS_MAX)):
            found = await self.call("GET", path, **query)
            if is_so(found):
                return found
            await asyncio.sleep(1)
        raise AssertionError(f"{path} did not become so in {WAIT_SECONDS_MAX} s")


class StripeItself:
    """Stands where the simulator does. What only a simulator can be made to do skips the test by name."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.signed = StripeSimulator().signed

    @property
    def books(self) -> Any:
        return _skip("needs books that a test can write into")

    @property
    def calls(self) -> Any:
        return _skip("needs the calls as the server saw them")

    @property
    def faults(self) -> Any:
        return _skip("needs answers that are lost on demand")

    @faults.setter
    def faults(self, value: object) -> None:  # noqa: ARG002
        _skip("needs answers that are lost on demand")


def _skip(why: str) -> NoReturn:
    pytest.skip(f"not against Stripe itself: {why}")


def called_account(simulator: StripeSimulator) -> CalledAccount:
    """Return the account of ``STRIPE_API_KEY``."""
    key = os.environ["STRIPE_API_KEY"]
    return CalledAccount(simulator.url if key == SECRET_KEY else STRIPE_URL, key)
