"""How fast refunds are asked of a provider: each organization at its pace, and none at the cost of another."""

import asyncio
from dataclasses import replace

from harness.sold import sell

from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.payments.send_refunds import send_refunds
from fullhouse.payments.writes import claim_refunds, reserve_call


async def test_places_are_given_out_one_after_the_other_to_all_processes(pool: Pool) -> None:
    organization_id, barrier = system.make_id(), asyncio.Barrier(4)

    async def one() -> float:
        async with connection(pool, organization_id) as conn:
            await barrier.wait()
            return await reserve_call(conn, organization_id, "faulty", 0.001)

    waits = await asyncio.gather(*(one() for _ in range(4)))
    assert [round(wait / 1000) for wait in sorted(waits)] == [1, 2, 3, 4]
    async with connection(pool, organization_id) as conn:
        assert round(await reserve_call(conn, organization_id, "another", 0.001) / 1000) == 1


async def test_what_was_not_taken_for_a_while_is_there_at_once_up_to_a_second(pool: Pool) -> None:
    organization_id = system.make_id()
    async with transaction(pool, organization_id) as conn:
        await reserve_call(conn, organization_id, "faulty", 1000)
        await conn.execute("UPDATE provider_budgets SET next_at = next_at - interval '1 day'")
        waits = [await reserve_call(conn, organization_id, "faulty", 2) for _ in range(2)]
        assert waits == [0, 0]
        assert await reserve_call(conn, organization_id, "faulty", 0.001) > 900


async def test_organizations_take_turns(fresh_pool: Pool) -> None:
    many, few = await sell(fresh_pool, 6), await sell(fresh_pool, 1)
    for unit in await many.units():
        await many.refund(unit.unit_id)
    await few.refund()
    async with connection(fresh_pool, EVERY_ORGANIZATION) as conn:
        claimed = await claim_refunds(conn, 60, 2)
        assert {one.organization_id for one in claimed} == {many.organization_id, few.organization_id}
        await conn.execute("UPDATE refunds SET retry_at = NULL WHERE status = 'requested'")
    providers = replace(many.sale.providers, refunds_per_second={"simulated": 1000.0})
    assert await send_refunds(fresh_pool, system.make_id, providers) == 7
    assert await many.sale.balances() == await few.sale.balances() == {}
