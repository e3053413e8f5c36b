"""Messages that come while an endpoint is being disabled or deleted: none waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from harness.waiting import until
from harness.webhooks import Webhooks

from fullhouse.infra.postgres import Connection, transaction
from fullhouse.infra.system import make_id
from fullhouse.operations.verify import verify
from fullhouse.webhooks.enqueue_deliveries import enqueue_deliveries
from fullhouse.webhooks.rules import Endpoint, EndpointStatus
from fullhouse.webhooks.update_endpoint import EndpointChange, update_endpoint
from fullhouse.webhooks.writes import delete_endpoint

URL = "https://hooks.example.org/"
Ending = Callable[[Connection, Endpoint], Awaitable[object]]


async def disable(conn: Connection, endpoint: Endpoint) -> None:
    change = EndpointChange(status=EndpointStatus.DISABLED)
    await update_endpoint(conn, endpoint.organization_id, endpoint.endpoint_id, change)


async def delete(conn: Connection, endpoint: Endpoint) -> None:
    await delete_endpoint(conn, endpoint.organization_id, endpoint.endpoint_id)


@pytest.mark.parametrize(("end", "left"), [(disable, [("failed", 0)]), (delete, [])])
async def test_enqueuing_waits_for_who_ends_the_endpoint(
    webhooks: Webhooks, end: Ending, left: list[tuple[str, int]]
) -> None:
    endpoint = await webhooks.endpoint(URL)
    async with transaction(webhooks.pool, webhooks.seller.organization_id) as conn:
        await end(conn, endpoint)
        enqueuing = asyncio.create_task(webhooks.enqueue(webhooks.message()))
        await until(lambda: _somebody_waits(webhooks))
    assert await enqueuing == len(left)
    assert await webhooks.statuses() == left
    assert await verify(webhooks.pool, idle=True) == []


@pytest.mark.parametrize(("end", "left"), [(disable, [("failed", 0)]), (delete, [])])
async def test_who_ends_the_endpoint_waits_for_enqueuing(
    webhooks: Webhooks, end: Ending, left: list[tuple[str, int]]
) -> None:
    endpoint = await webhooks.endpoint(URL)

    async def end_it() -> None:
        async with transaction(webhooks.pool, webhooks.seller.organization_id) as conn:
            await end(conn, endpoint)

    async with transaction(webhooks.pool, webhooks.seller.organization_id) as conn:
        assert await enqueue_deliveries(conn, make_id, [webhooks.message()]) == 1
        ending = asyncio.create_task(end_it())
        await until(lambda: _somebody_waits(webhooks))
    await ending
    assert await webhooks.statuses() == left
    assert await verify(webhooks.pool, idle=True) == []


async def test_one_message_that_comes_twice_at_once_is_entered_once(webhooks: Webhooks) -> None:
    await webhooks.endpoint(URL)
    message = webhooks.message()
    counts = await asyncio.gather(*(webhooks.enqueue(message) for _ in range(8)))
    assert sum(counts) == 1
    assert await webhooks.statuses() == [("pending", 0)]


async def _somebody_waits(webhooks: Webhooks) -> bool:
    return await webhooks.pool.fetchval(
        """
        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
        """
    )
