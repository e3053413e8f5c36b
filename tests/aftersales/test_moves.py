"""Moved sessions: buyers keep or return until the deadline, and what was declared counts for the others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app
from valkey.asyncio import Valkey

from fullhouse.aftersales.moves.close_moves import close_due_moves
from fullhouse.aftersales.moves.tell_moved import announce_moves
from fullhouse.aftersales.work_session_refunds import work_session_refunds
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool), client)


async def move(shop: Shop, default: str = "keep", **body: Any) -> httpx.Response:
    until = (system.now() + timedelta(days=3)).isoformat()
    sent = {"starts_local": "2032-03-01T20:00", "answer_until": until, "default": default, **body}
    path = f"/sessions/{shop.sale.made.session_id}/move"
    return await shop.client.post(path, json=sent, headers=await shop.member("manager"))


async def answer(shop: Shop, order: dict[str, Any], said: str) -> httpx.Response:
    return await shop.client.post(f"/orders/{order['id']}/move", json={"answer": said}, headers=holder(order))


async def pass_deadline(shop: Shop) -> None:
    await shop.sale.pool.execute(
        "UPDATE session_moves SET answer_until = clock_timestamp() WHERE session_id = $1", shop.sale.made.session_id
    )


async def settle(shop: Shop) -> None:
    while await close_due_moves(shop.sale.pool, system.make_id):
        pass
    while await work_session_refunds(shop.sale.pool, system.make_id):
        pass
    await shop.sale.work()


async def statuses(shop: Shop, *orders: dict[str, Any]) -> list[str]:
    return [(await shop.sale.show(UUID(order["id"]))).status for order in orders]


async def test_buyers_keep_or_return_and_who_says_nothing_keeps(shop: Shop) -> None:
    orders = [await shop.paid(quantity) for quantity in (1, 2, 3)]
    moved = await move(shop)
    assert moved.status_code == 201, moved.text
    assert (moved.json()["kind"], moved.json()["open_count"]) == ("moved", 3)
    assert (await answer(shop, orders[0], "keep")).json()["answer"] == "keep"
    returned = await answer(shop, orders[1], "return")
    assert (returned.status_code, returned.json()["answer"]) == (200, "return")
    assert (await answer(shop, orders[1], "return")).status_code == 200
    final = await answer(shop, orders[1], "keep")
    assert (final.status_code, final.json()["code"]) == (409, "answer_final")
    [shown] = (
        await shop.client.get(f"/sessions/{shop.sale.made.session_id}/moves", headers=await shop.member("box_office"))
    ).json()["items"]
    assert (shown["keep_count"], shown["return_count"], shown["open_count"]) == (1, 1, 1)
    await pass_deadline(shop)
    late = await answer(shop, orders[2], "return")
    assert (late.status_code, late.json()["code"]) == (409, "move_closed")
    await settle(shop)
    assert await statuses(shop, *orders) == ["paid", "refunded", "paid"]
    assert await shop.sale.stock() == (10, 0, 4, 0)
    assert await shop.sale.balances() == {"provider:simulated": 10_000, "sales": -10_000}


async def test_who_says_nothing_returns_where_that_was_declared(shop: Shop) -> None:
    orders = [await shop.paid(quantity) for quantity in (1, 2)]
    await move(shop, "return")
    late_buyer = await shop.paid(1)
    await answer(shop, orders[0], "keep")
    await pass_deadline(shop)
    await asyncio.gather(*(close_due_moves(shop.sale.pool, system.make_id) for _ in range(3)))
    await settle(shop)
    # Who bought after the move bought the new date, and is not asked.
    assert await statuses(shop, *orders, late_buyer) == ["paid", "refunded", "paid"]
    nothing = await shop.client.get(f"/orders/{late_buyer['id']}/move", headers=holder(late_buyer))
    assert (nothing.status_code, nothing.json()["code"]) == (404, "move_not_found")
    assert [one.reason for one in await shop.sale.refunds(UUID(orders[1]["id"]))] == ["session_moved"]


async def test_an_answer_against_the_deadline_counts_or_comes_too_late(shop: Shop) -> None:
    orders = [await shop.paid(1) for _ in range(4)]
    await move(shop, "return")
    await pass_deadline(shop)
    await shop.sale.pool.execute(
        "UPDATE session_moves SET answer_until = clock_timestamp() + interval '50 ms' WHERE session_id = $1",
        shop.sale.made.session_id,
    )
    barrier = asyncio.Barrier(5)

    async def keep(order: dict[str, Any]) -> int:
        await barrier.wait()
        return (await answer(shop, order, "keep")).status_code

    async def close() -> int:
        await barrier.wait()
        return await close_due_moves(shop.sale.pool, system.make_id)

    *heard, _ = await asyncio.gather(*(keep(order) for order in orders), close())
    await pass_deadline(shop)
    await settle(shop)
    assert await statuses(shop, *orders) == ["paid" if status == 200 else "refunded" for status in heard]


async def test_moving_again_asks_again(shop: Shop) -> None:
    order = await shop.paid(1)
    await move(shop)
    await answer(shop, order, "keep")
    again = await move(shop, "return", starts_local="2032-04-01T20:00")
    assert (again.status_code, again.json()["open_count"]) == (201, 1)
    shown = (await shop.client.get(f"/orders/{order['id']}/move", headers=holder(order))).json()
    assert (shown["id"], shown["answer"]) == (again.json()["id"], None)
    await pass_deadline(shop)
    await settle(shop)
    assert await statuses(shop, order) == ["refunded"]


async def test_each_buyer_is_announced_once(shop: Shop) -> None:
    orders = [await shop.paid(1) for _ in range(3)]
    await move(shop, starts_local=None)
    pool = shop.sale.pool
    await asyncio.gather(*(announce_moves(pool, system.make_id) for _ in range(3)))
    told = await shop.sale.messages("order.move_announced")
    assert sorted(str(message.data["order_id"]) for message in told) == sorted(order["id"] for order in orders)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"answer_until": "2020-01-01T00:00:00Z"}, 422, "invalid"),
        ({"starts_local": None, "ends_local": "2032-03-01T23:00"}, 422, "invalid"),
        ({"default": "perhaps"}, 422, "invalid"),
    ],
)
async def test_what_makes_no_sense_moves_nothing(shop: Shop, body: dict[str, Any], status: int, code: str) -> None:
    order = await shop.paid(1)
    refused = await move(shop, **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await shop.client.get(f"/orders/{order['id']}/move", headers=holder(order))).status_code == 404


async def test_a_limit_of_refunds_counts_what_all_may_return(shop: Shop) -> None:
    await shop.paid(2)
    await shop.sale.pool.execute(
        "UPDATE organizations SET refund_limit_minor = 4999 WHERE organization_id = $1", shop.sale.made.organization_id
    )
    refused = await move(shop)
    assert (refused.status_code, refused.json()["code"]) == (403, "refund_above_limit")
    session = await shop.client.get(f"/sessions/{shop.sale.made.session_id}")
    assert session.json()["status"] == "scheduled"
