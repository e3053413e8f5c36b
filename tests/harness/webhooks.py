"""An organization with webhook endpoints, messages for them, and senders."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from fullhouse.core.message import Message
from fullhouse.infra import system
from fullhouse.infra.outgoing import Outside
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.webhooks.create_endpoint import create_endpoint
from fullhouse.webhooks.enqueue_deliveries import enqueue_deliveries
from fullhouse.webhooks.rules import Endpoint, EndpointFields
from fullhouse.webhooks.send_deliveries import Means, Sender
from harness.web import SECRET_KEY, Seller, make_seller


def means_of(outside: Outside) -> Means:
    """Return what a sender of the tests works with: it may reach loopback."""
    return Means(system.now, system.make_id, system.randomness, SECRET_KEY, outside, allow_private=True)


@dataclass
class Webhooks:
    """What a test does, in the words of the test."""

    pool: Pool
    seller: Seller
    outside: Outside
    endpoints: list[Endpoint] = field(default_factory=list)

    def sender(self, **options: Any) -> Sender:
        return Sender(self.pool, means_of(self.outside), **options)

    async def endpoint(self, url: str, *types: str) -> Endpoint:
        async with transaction(self.pool, self.seller.organization_id) as conn:
            fields = EndpointFields(url, "", types or ("order.paid",))
            made, _ = await create_endpoint(conn, system.make_id, SECRET_KEY, self.seller.organization_id, fields)
        self.endpoints.append(made)
        return made

    async def announce(self, type_: str = "order.paid", count: int = 1) -> list[str]:
        """React to that many messages as the worker does; return their ids."""
        ids: list[str] = []
        for _ in range(count):
            message = self.message(type_)
            await self.enqueue(message)
            ids.append(str(message.message_id))
        return ids

    def message(self, type_: str = "order.paid") -> Message:
        order_id = uuid4()
        return Message(
            organization_id=self.seller.organization_id,
            message_id=system.make_id(),
            type=type_,
            version=1,
            key=order_id,
            data={"order_id": str(order_id)},
            request_id="ana@example.org asked",
            occurred_at="2026-03-01T12:00:00.000001Z",
        )

    async def enqueue(self, message: Message) -> int:
        async with transaction(self.pool, message.organization_id) as conn:
            return await enqueue_deliveries(conn, system.make_id, [message])

    async def statuses(self, endpoint_id: UUID | None = None) -> list[tuple[str, int]]:
        """Return status and attempts of each delivery, the oldest first."""
        rows = await self.pool.fetch(
            """
            SELECT status, attempts FROM webhook_deliveries
            WHERE organization_id = $1 AND ($2::uuid IS NULL OR endpoint_id = $2) ORDER BY delivery_id
            """,
            self.seller.organization_id,
            endpoint_id,
        )
        return [tuple(row) for row in rows]

    async def attempts(self) -> list[tuple[int | None, str | None]]:
        rows = await self.pool.fetch("SELECT status_code, trouble FROM webhook_attempts ORDER BY attempted_at")
        return [tuple(row) for row in rows]

    async def show(self, endpoint: Endpoint) -> Any:
        return await self.pool.fetchrow("SELECT * FROM webhook_endpoints WHERE endpoint_id = $1", endpoint.endpoint_id)

    async def make_due(self) -> None:
        """Let the time until the next attempts, and every lease, be over."""
        await self.pool.execute("UPDATE webhook_deliveries SET due_at = clock_timestamp() WHERE status = 'pending'")

    @asynccontextmanager
    async def sending(self, *senders: Sender) -> AsyncGenerator[None]:
        """Run senders beside the test."""
        stop = asyncio.Event()
        running = [asyncio.create_task(sender.run_until(stop)) for sender in senders or (self.sender(),)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*running)


async def make_webhooks(pool: Pool, outside: Outside) -> Webhooks:
    """Make an organization."""
    return Webhooks(pool, await make_seller(pool), outside)
