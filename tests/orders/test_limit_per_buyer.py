"""One buyer has no more places of an event than it allows, whichever sessions, addresses and moments they choose."""

import asyncio
from typing import Any

import httpx
import pytest
from harness.sale import ORDER_KEY, Sale, make_sale
from harness.web import client_of, make_resources, make_seller, running_app
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.orders.place_order import OrderRequest, PlacedOrder, place_order
from fullhouse.orders.queries import count_places_of_buyers
from fullhouse.orders.rules import Contact, LimitPerBuyer, OrderExists, buyer_of

ANA = "ana.souza@example.com"


async def limited_sale(pool: Pool, limit: int | None = 4, **options: Any) -> Sale:
    sale = await make_sale(pool, **options)
    await pool.execute("UPDATE events SET per_buyer_max = $2 WHERE event_id = $1", sale.made.event_id, limit)
    return sale


async def order(sale: Sale, quantity: int, email: str = ANA) -> PlacedOrder:
    placed = await sale.hold(quantity)
    request = OrderRequest(
        sale.made.organization_id, placed.reservation.reservation_id, placed.token, Contact(email, ""), "en"
    )
    async with transaction(sale.pool, EVERY_ORGANIZATION) as conn:
        return await place_order(conn, system.make_id, ORDER_KEY, request)


async def places(sale: Sale, email: str = ANA) -> int:
    made = sale.made
    async with transaction(sale.pool, EVERY_ORGANIZATION) as conn:
        asked = (made.event_id, buyer_of(email))
        return (await count_places_of_buyers(conn, made.organization_id, [asked]))[asked]


@pytest.mark.parametrize(
    ("email", "buyer"),
    [
        ("ana@example.org", "ana@example.org"),
        ("ANA@Example.ORG", "ana@example.org"),
        ("ana+1@example.org", "ana@example.org"),
        ("ana+1+2@example.org", "ana@example.org"),
        ("a.na@example.org", "a.na@example.org"),
        ("ana@plus+sign.example", "ana@plus+sign.example"),
    ],
)
async def test_an_address_is_read_alike_here_and_in_the_index(pool: Pool, email: str, buyer: str) -> None:
    assert buyer_of(email) == buyer
    assert await pool.fetchval("SELECT lower(regexp_replace($1, '[+][^@]*@', '@'))", email) == buyer


async def test_the_order_above_the_limit_is_refused_and_changes_nothing(pool: Pool) -> None:
    sale = await limited_sale(pool)
    await order(sale, 3)
    before = await sale.stock()
    with pytest.raises(LimitPerBuyer) as refused:
        await order(sale, 2)
    assert refused.value.fields == {"limit": 4}, "nobody learns how many somebody else has"
    assert await sale.stock() == (before[0], before[1] + 2, *before[2:]), "what was reserved stays reserved"
    assert len(await sale.messages("order.placed")) == 1
    await order(sale, 1)
    assert await places(sale) == 4
    await order(sale, 4, "bruno@example.com")


async def test_other_spellings_of_an_address_are_the_same_buyer(pool: Pool) -> None:
    sale = await limited_sale(pool)
    await order(sale, 2)
    await order(sale, 2, "Ana.Souza+again@EXAMPLE.com")
    with pytest.raises(LimitPerBuyer):
        await order(sale, 1, "ana.souza+x@example.com")


async def test_without_a_limit_nobody_is_counted_and_one_set_later_counts_all(pool: Pool) -> None:
    sale = await limited_sale(pool, None)
    await order(sale, 3)
    await order(sale, 3)
    await pool.execute("UPDATE events SET per_buyer_max = 7 WHERE event_id = $1", sale.made.event_id)
    with pytest.raises(LimitPerBuyer):
        await order(sale, 2)
    await order(sale, 1)


async def test_what_lapsed_or_was_cancelled_or_refunded_counts_no_more(pool: Pool) -> None:
    sale = await limited_sale(pool)
    paid = await order(sale, 2)
    await sale.pay(paid.order.order_id)
    await sale.deliver()
    await sale.work()
    lapsed = await order(sale, 2)
    assert await places(sale) == 4
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() WHERE reservation_id = $1", lapsed.order.reservation_id
    )
    assert await places(sale) == 2, "no worker needs to have noticed"
    await pool.execute(
        "UPDATE units SET status = 'cancelled', cancelled_at = now() WHERE order_id = $1", paid.order.order_id
    )
    assert await places(sale) == 0


async def test_the_same_reservation_again_hears_of_its_order_and_not_of_the_limit(pool: Pool) -> None:
    sale = await limited_sale(pool, 2)
    held = await sale.hold(2)
    await sale.order(placed=held)
    with pytest.raises(OrderExists):
        await sale.order(placed=held)


async def test_twenty_orders_at_once_of_one_buyer_stay_within_the_limit(pool: Pool) -> None:
    sale = await limited_sale(pool, 4, capacity=100)
    held = [await sale.hold(1) for _ in range(20)]
    barrier = asyncio.Barrier(8)

    async def place(number: int) -> bool:
        placed = held[number]
        contact = Contact(f"ana+{number}@example.com", "")
        ids = (sale.made.organization_id, placed.reservation.reservation_id)
        if number < barrier.parties:
            await barrier.wait()
        try:
            async with transaction(pool, EVERY_ORGANIZATION) as conn:
                await place_order(conn, system.make_id, ORDER_KEY, OrderRequest(*ids, placed.token, contact, "en"))
        except LimitPerBuyer:
            return False
        return True

    assert sum(await asyncio.gather(*(place(number) for number in range(20)))) == 4
    assert await places(sale, "ana@example.com") == 4


async def test_over_http_the_limit_is_set_shown_and_kept_and_gives_the_places_back(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seller = await make_seller(pool)
    resources = make_resources(pool, valkey, tmp_path_factory.mktemp("parts"))
    body = {"date": "2031-05-01T20:00:00Z", "capacity": 10, "price_minor": 100, "currency": "EUR", "per_buyer_max": 2}
    async with running_app(resources) as app, client_of(app) as client:
        made = await client.post(
            "/api/v1/events",
            headers=seller.bearer(),
            json={"organization_id": str(seller.organization_id), "name": "Noite", **body},
        )
        event = made.json()
        path = f"/api/v1/events/{event['id']}"

        async def buy(quantity: int, email: str = "ana@example.com") -> httpx.Response:
            return await client.post(
                "/api/v1/orders", json={"event_id": event["id"], "quantity": quantity, "email": email}
            )

        assert (made.status_code, event["per_buyer_max"]) == (201, 2)
        assert (await buy(1)).status_code == 201
        refused = await buy(2)
        assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (409, "limit_per_buyer", 2)
        assert (await client.get(path)).json()["sessions"][0]["available"] == 9
        lifted = await client.patch(path, headers=seller.bearer(), json={"per_buyer_max": None})
        assert (lifted.status_code, lifted.json()["per_buyer_max"]) == (200, None)
        assert (await buy(2)).status_code == 201
        assert (await client.patch(path, headers=seller.bearer(), json={"per_buyer_max": 0})).status_code == 422
