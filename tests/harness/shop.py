"""A sale over HTTP: the real app on a sale's session, and the headers of everybody who might call it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role
from harness.sale import Sale
from harness.stock import SERVER_KEY
from harness.web import client_of, make_resources, running_app


@dataclass
class Shop:
    """A sale, and a client of the app that serves it."""

    sale: Sale
    client: httpx.AsyncClient

    async def reserve(self, quantity: int = 2) -> dict[str, Any]:
        """Place a reservation over HTTP."""
        items = [{"ticket_type_id": str(self.sale.made.types["adult"]), "quantity": quantity}]
        answer = await self.client.post(
            "/reservations", json={"session_id": str(self.sale.made.session_id), "items": items}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def order(self, quantity: int = 2, **body: Any) -> dict[str, Any]:
        """Reserve and order over HTTP."""
        held = await self.reserve(quantity)
        answer = await self.client.post(
            "/orders",
            json={"reservation_id": held["id"], "email": "ana.souza@example.com", "name": "Ana Souza", **body},
            headers=reservation(held),
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def pay(self, order: dict[str, Any], outcome: str = "succeed", **headers: str) -> httpx.Response:
        """Start a payment over HTTP."""
        return await self.client.post(
            f"/orders/{order['id']}/payments",
            json={"provider": "simulated", "outcome": outcome},
            headers=holder(order) | headers,
        )

    async def paid(self, quantity: int = 2) -> dict[str, Any]:
        """Order and pay over HTTP, and let the workers react."""
        order = await self.order(quantity)
        assert (await self.pay(order)).status_code == 201
        await self.sale.work()
        assert (await self.sale.show(UUID(order["id"]))).status == "paid"
        return order

    async def member(self, role: str, sale: Sale | None = None) -> dict[str, str]:
        """Issue a key of a role, and return its header."""
        organization_id = (sale or self.sale).made.organization_id
        async with transaction(self.sale.pool, organization_id) as conn:
            _, key = await issue_api_key(
                conn, system.make_id, system.randomness, organization_id, NewApiKey(name=role, role=Role(role))
            )
        return {"Authorization": f"Bearer {key}"}


def reservation(held: dict[str, Any]) -> dict[str, str]:
    """Write the header that opens a reservation."""
    return {"Authorization": f"Reservation {held['token']}"}


def holder(order: dict[str, Any]) -> dict[str, str]:
    """Write the header that opens an order."""
    return {"Authorization": f"Order {order['secret']}"}


@asynccontextmanager
async def open_app(pool: Pool, valkey: Valkey, folder: Path, **settings: object) -> AsyncGenerator[httpx.AsyncClient]:
    """Run the app with the server key of the tests; any number of sales can be served by it."""
    resources = make_resources(pool, valkey, folder, secret_key=SERVER_KEY)
    async with running_app(resources, **settings) as app, client_of(app) as client:
        client.base_url = client.base_url.join("/api/v1")
        yield client
