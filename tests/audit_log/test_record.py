"""An entry is written with its act or not at all, tells who and from where, and is never changed."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from harness.shop import Shop, holder

from fullhouse.core.actor import OPERATOR, Actor, ActorKind
from fullhouse.infra import system
from fullhouse.infra.audit_log import Act, Asking, acting_as, asking, record
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.organizations.create_organization import create_organization
from fullhouse.organizations.rules import NewOrganization

from .conftest import entries_of


async def test_entry_commits_with_its_act_and_is_undone_with_it(pool: Pool) -> None:
    made: list[UUID] = []

    async def create(*, fail: bool) -> None:
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            new = NewOrganization("Casa da Ribeira")
            made.append((await create_organization(conn, system.make_id, system.now, new, None)).organization_id)
            if fail:
                raise RuntimeError("after the act")

    with acting_as(OPERATOR):
        await create(fail=False)
        with pytest.raises(RuntimeError):
            await create(fail=True)
    (entry,) = await entries_of(pool, made[0])
    assert (entry["actor_kind"], entry["actor_label"], entry["action"]) == (
        "operator",
        "operator",
        "organization.create",
    )
    assert (entry["thing_kind"], entry["thing_id"], entry["origin_digest"]) == ("organization", made[0], None)
    assert await entries_of(pool, made[1]) == []


async def test_what_buyers_and_the_program_do_is_not_recorded(pool: Pool, shop: Shop) -> None:
    order = await shop.order(1)
    assert (await shop.client.post(f"/orders/{order['id']}/cancel", headers=holder(order))).status_code == 200
    organization_id = uuid4()
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        await record(conn, organization_id, Act("event.create", "event", uuid4()))
    assert await entries_of(pool, organization_id) == []
    assert await entries_of(pool, shop.sale.made.organization_id, action="order.cancel") == []


async def test_entry_tells_who_and_from_where(pool: Pool, shop: Shop) -> None:
    order = await shop.order(1)
    member = await shop.member("box_office")
    sent = member | {"User-Agent": "Box office\t7 " + "x" * 300, "X-Request-ID": "request-of-the-test"}
    assert (await shop.client.post(f"/orders/{order['id']}/cancel", headers=sent)).status_code == 200
    organization_id = shop.sale.made.organization_id
    (entry,) = await entries_of(pool, organization_id, action="order.cancel")
    key_id = await pool.fetchval(
        "SELECT api_key_id FROM api_keys WHERE organization_id = $1 AND role = 'box_office'", organization_id
    )
    assert (entry["actor_kind"], entry["actor_id"], entry["actor_label"]) == ("api_key", key_id, f"api_key {key_id}")
    assert (entry["thing_kind"], entry["thing_id"]) == ("order", UUID(order["id"]))
    assert entry["request_id"] == "request-of-the-test"
    origin = await pool.fetchrow(
        "SELECT * FROM audit_origins WHERE organization_id = $1 AND position = $2", organization_id, entry["position"]
    )
    assert origin["address"] == "127.0.0.1"
    assert origin["user_agent"] == ("Box office7 " + "x" * 300)[:200]
    again = await shop.client.post(f"/orders/{order['id']}/cancel", headers=sent)
    assert again.status_code == 200
    assert len(await entries_of(pool, organization_id, action="order.cancel")) == 1


async def test_replayed_answer_is_recorded_once_and_refusal_never(pool: Pool, shop: Shop) -> None:
    order = await shop.paid(2)
    headers = await shop.member("manager") | {"Idempotency-Key": "refund-1"}
    path = f"/orders/{order['id']}/refunds"
    for _ in range(2):
        assert (await shop.client.post(path, json={"reason": "a private reason"}, headers=headers)).status_code == 201
    headers["Idempotency-Key"] = "refund-2"
    assert (await shop.client.post(path, json={}, headers=headers)).status_code == 409
    (entry,) = await entries_of(pool, shop.sale.made.organization_id, action="order.refund")
    assert entry["details"] == {"amount_minor": 5000, "currency": "EUR", "unit_count": 2, "stock_returned": True}


async def test_request_leaves_nobody_behind_in_its_task(shop: Shop) -> None:
    before = asking.get()
    order = await shop.order(1)
    await shop.client.post(f"/orders/{order['id']}/cancel", headers=await shop.member("manager"))
    assert asking.get() is before


async def test_tasks_that_run_at_once_do_not_mix_their_actors() -> None:
    both_are_named = asyncio.Barrier(2)

    async def serve(number: int) -> Asking:
        asking.set(Asking(Actor(ActorKind.USER, actor_id=UUID(int=number)), f"192.0.2.{number}"))
        await both_are_named.wait()
        return asking.get()

    first, second = await asyncio.gather(asyncio.create_task(serve(1)), asyncio.create_task(serve(2)))
    assert [(one.address, one.actor.actor_id) for one in (first, second)] == [
        ("192.0.2.1", UUID(int=1)),
        ("192.0.2.2", UUID(int=2)),
    ]


@pytest.mark.parametrize("table", ["audit_entries", "audit_links"])
@pytest.mark.parametrize("change", ["UPDATE {} SET position = 1", "DELETE FROM {}", "TRUNCATE {}"])
async def test_rows_are_only_ever_added(pool: Any, table: str, change: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match=r"only ever added|cannot be used|cannot update|can only be"):
        await pool.execute(change.format(table))
