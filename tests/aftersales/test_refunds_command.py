"""``fullhouse refunds`` gives back a session, shows how far it is, and tries again what failed."""

import asyncio
from pathlib import Path

import pytest
from harness.sale import Sale, make_sale
from harness.sold import Sold, pay_for
from harness.terminal import Operator

from fullhouse.catalogue.cancel_session import cancel_session
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.payments.send_refunds import send_refunds

STRANGER = "018f0000-0000-7000-8000-000000000000"


@pytest.fixture
def operator(tmp_path: Path, fresh_database: str) -> Operator:
    return Operator("refunds", fresh_database, tmp_path)


@pytest.fixture
async def sold(fresh_pool: Pool) -> list[Sold]:
    sale = await make_sale(fresh_pool)
    return [await pay_for(sale, await sale.hold(quantity)) for quantity in (1, 2)]


async def cancel(sale: Sale) -> str:
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        await cancel_session(conn, system.make_id, sale.made.organization_id, sale.made.session_id)
    return str(sale.made.session_id)


async def beside_a_worker(operator: Operator, sale: Sale, *arguments: str) -> str:
    """Run a command that follows a refund, while the money is sent as a worker would."""
    task = asyncio.create_task(operator.run(*arguments))
    while not task.done():
        await send_refunds(sale.pool, system.make_id, sale.providers)
        await asyncio.sleep(0.05)
    return await task


async def test_a_cancelled_session_is_given_back_and_followed_to_the_end(operator: Operator, sold: list[Sold]) -> None:
    sale = sold[0].sale
    session = await cancel(sale)
    said = await beside_a_worker(operator, sale, "start", session, "--return-stock")
    assert said == "2 of 2 orders refunded, 2 refunds done, 0 failed.\n"
    assert await beside_a_worker(operator, sale, "watch", session) == said
    assert await operator.run("failures", session) == "Nothing failed.\n"
    assert [(await sale.show(one.order_id)).status for one in sold] == ["refunded"] * 2
    assert (await sale.balances(), await sale.stock()) == ({}, (10, 0, 0, 0))
    actors = await sale.pool.fetch(
        "SELECT DISTINCT actor_kind FROM audit_entries WHERE action IN ('session_refund.start', 'order.refund')"
    )
    assert "operator" in {row["actor_kind"] for row in actors}


async def test_what_failed_is_listed_and_tried_again(operator: Operator, sold: list[Sold]) -> None:
    sale = sold[0].sale
    session = await cancel(sale)
    # Captured money that is not there any more stands in the way of one order.
    await sale.pool.execute("UPDATE payments SET captured_minor = 1 WHERE order_id = $1", sold[0].order_id)
    said = await beside_a_worker(operator, sale, "start", session)
    assert "1 of 2 orders refunded, 1 refunds done, 1 failed." in said.splitlines()
    assert "fullhouse refunds retry" in said
    failures = await operator.run("failures", session)
    assert failures.split()[:3] == [str(sold[0].order_id), "-", "refund_too_large"]
    await sale.pool.execute("UPDATE payments SET captured_minor = 2500 WHERE order_id = $1", sold[0].order_id)
    said = await beside_a_worker(operator, sale, "retry", session)
    assert said == "2 of 2 orders refunded, 2 refunds done, 0 failed.\n"
    assert await sale.balances() == {}


async def test_refusals_are_one_line_and_give_nothing_back(operator: Operator, sold: list[Sold]) -> None:
    sale = sold[0].sale
    session = str(sale.made.session_id)
    for arguments in (("start", session), ("watch", session), ("start", STRANGER), ("retry", session)):
        said = await operator.run(*arguments, code=2)
        assert said.startswith("fullhouse: ")
        assert said.count("\n") == 1
    assert await sale.balances() == {"provider:simulated": 7500, "sales": -7500}
