"""kill -9 of the worker between every two steps from the payment to the mail: nothing happens twice, nothing never."""

import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from harness.processes import Program, clean_environment
from harness.sale import Sale, make_sale
from harness.sold import pay_for
from harness.waiting import until
from harness.worker import drained, resources_on, running_worker

from fullhouse.aftersales.start_session_refund import start_session_refund
from fullhouse.aftersales.work_session_refunds import work_session_refunds
from fullhouse.catalogue.cancel_session import cancel_session
from fullhouse.events.queries import load_terms
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id
from fullhouse.operations.verify import verify
from fullhouse.reservations.block_stock import block_stock
from fullhouse.reservations.rules import NewAllocation

pytestmark = pytest.mark.chaos

BROKER = "fullhouse.infra.brokers.postgres:PostgresBroker"
REACT = "fullhouse.workers.subscriptions"
MAILS = "fullhouse.tickets.mail_tickets"

RELAY = [
    f"before {BROKER}.publish",
    f"after {BROKER}.publish",
    "after fullhouse.workers.relay_outbox:mark_sent",
    "before fullhouse.workers.relay_outbox:return_leases",
]
SETTLE = [
    "after fullhouse.payments.deliver_simulated_notices:receive_webhooks",
    "before fullhouse.workers.react:first_time@payments.settle",
    "after fullhouse.workers.react:first_time@payments.settle",
    "after fullhouse.workers.settle_and_issue:apply_notices",
    f"before {BROKER}.acknowledge@payments.settle",
    f"after {BROKER}.acknowledge@payments.settle",
]
ISSUE = [
    "before fullhouse.workers.react:first_time@tickets.issue",
    f"after {REACT}:issue_tickets_together",
    f"before {BROKER}.acknowledge@tickets.issue",
    f"after {BROKER}.acknowledge@tickets.issue",
]
RENDER = [
    f"before {MAILS}:render_and_store",
    "before fullhouse.infra.object_store_folder:FolderStore.put",
    "after fullhouse.infra.object_store_folder:FolderStore.put",
    "after fullhouse.tickets.mail_tickets:note_documents",
    f"after {MAILS}:render_and_store",
]
MAIL = [
    "before fullhouse.infra.mail_folder:MailboxFolder.send",
    "after fullhouse.infra.mail_folder:MailboxFolder.send",
    "after fullhouse.tickets.mail_tickets:note_deliveries",
    f"before {BROKER}.acknowledge@tickets.deliver",
    f"after {BROKER}.acknowledge@tickets.deliver",
]
REFUND = [
    "before fullhouse.payments.providers.simulated:SimulatedProvider.refund",
    "after fullhouse.payments.providers.simulated:SimulatedProvider.refund",
    "after fullhouse.payments.send_refunds:settle_refund",
    f"before {BROKER}.acknowledge@payments.send_refunds",
]

SESSION_REFUND = [
    "after fullhouse.aftersales.work_session_refunds:claim_order_to_refund",
    "after fullhouse.aftersales.work_session_refunds:refund_order",
    "after fullhouse.aftersales.work_session_refunds:mark_order_done",
    "after fullhouse.aftersales.work_session_refunds:refund_next_order",
    "after fullhouse.payments.providers.simulated:SimulatedProvider.refund",
    "after fullhouse.payments.send_refunds:settle_refund",
    "before fullhouse.aftersales.work_session_refunds:end_session_refund",
]

Crash = Callable[[str], Awaitable[None]]


@pytest.fixture
async def sale(fresh_pool: Any) -> Sale:
    return await make_sale(fresh_pool)


@pytest.fixture
def crash(fresh_pool: Any, fresh_database: str, valkey_url: str, tmp_path: Path) -> Crash:
    """Run a worker process until it is killed at the step, and let the leases that it held run out."""

    async def run(step: str) -> None:
        command = [sys.executable, "-m", "harness.crashing_worker", fresh_database, valkey_url, str(tmp_path), step]
        tests = Path(__file__).parents[1]
        program = Program(command, tmp_path, clean_environment(PYTHONPATH=str(tests)))
        try:
            await until(lambda: _has_ended(program), 90)
        finally:
            program.end()
        assert program.process.returncode == -signal.SIGKILL, program.text()
        await fresh_pool.execute(
            """
            UPDATE broker_messages SET visible_at = '-infinity';
            UPDATE outbox_leases SET leased_until = '-infinity';
            UPDATE refunds SET retry_at = NULL WHERE status = 'requested';
            """
        )

    return run


async def _has_ended(program: Program) -> bool:
    return program.process.poll() is not None


@pytest.mark.parametrize("step", RELAY + SETTLE + ISSUE + RENDER + MAIL)
async def test_paid_order_is_delivered_once_wherever_the_worker_dies(
    sale: Sale, crash: Crash, step: str, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    order_id = (await sale.order(2)).order.order_id
    await sale.pay(order_id)

    await crash(step)
    assert await verify(sale.pool) == []

    async with running_worker(resources_on(sale.pool, valkey, fresh_database, tmp_path)):
        await until(lambda: sale.pool.fetchval("SELECT count(*) FROM mail_deliveries"))
        await drained(sale.pool)
    await _assert_delivered_once(sale, order_id, tmp_path)


async def _assert_delivered_once(sale: Sale, order_id: UUID, folder: Path) -> None:
    assert await verify(sale.pool, idle=True) == []
    assert (await sale.show(order_id)).status.value == "paid"
    tickets = await sale.pool.fetch("SELECT generation, status FROM tickets WHERE order_id = $1", order_id)
    assert [tuple(row) for row in tickets] == [(1, "valid")] * 2
    assert await sale.pool.fetchval("SELECT count(*) FROM units") == 2
    assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}
    assert await sale.stock() == (10, 0, 2, 0)
    for name in ("payment.succeeded", "order.paid", "reservation.sold", "ticket.issued"):
        assert len(await sale.messages(name)) == 1, name
    assert len(list((folder / "mailbox").glob("**/*.eml"))) == 1
    assert len(list((folder / "objects").glob("**/*.pdf"))) == 1


@pytest.mark.parametrize("step", REFUND)
async def test_money_that_came_too_late_goes_back_once_wherever_the_worker_dies(
    sale: Sale, crash: Crash, step: str, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    placed = await sale.order(2)
    await sale.pay(placed.order.order_id)
    await sale.lapse(placed)
    await _block_the_rest(sale)

    await crash(step)
    assert await verify(sale.pool) == []

    async with running_worker(resources_on(sale.pool, valkey, fresh_database, tmp_path)):
        await until(lambda: sale.pool.fetchval("SELECT count(*) FROM refunds WHERE status = 'succeeded'"))
        await drained(sale.pool)

    assert await verify(sale.pool, idle=True) == []
    assert (await sale.show(placed.order.order_id)).status.value == "refunded"
    assert await sale.pool.fetchval("SELECT count(*) FROM tickets") == 0
    assert [row["amount_minor"] for row in await sale.pool.fetch("SELECT * FROM simulated_refunds")] == [5000]
    assert await sale.balances() == {}
    assert len(await sale.messages("refund.succeeded")) == 1


async def _block_the_rest(sale: Sale) -> None:
    """Take every place, those of the hold that lapsed too, so that late money finds none."""
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        terms = await load_terms(conn, sale.made.organization_id, sale.made.session_id)
        assert terms is not None
        await block_stock(conn, make_id, terms, NewAllocation("all", "", [], {"standing": 10}, None))


@pytest.mark.parametrize("step", SESSION_REFUND)
async def test_the_refund_of_a_session_goes_on_where_a_worker_died_in_the_middle(
    sale: Sale, crash: Crash, step: str, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    sold = [await pay_for(sale, await sale.hold(2)) for _ in range(4)]
    made = sale.made
    async with transaction(sale.pool, made.organization_id) as conn:
        await cancel_session(conn, make_id, made.organization_id, made.session_id)
    async with transaction(sale.pool, made.organization_id) as conn:
        await start_session_refund(conn, make_id, made.organization_id, made.session_id, None, return_stock=True)
    assert await work_session_refunds(sale.pool, make_id, count_max=2) == 2

    await crash(step)

    async with running_worker(resources_on(sale.pool, valkey, fresh_database, tmp_path)):
        await until(lambda: sale.pool.fetchval("SELECT count(*) = 4 FROM refunds WHERE status = 'succeeded'"))
        await until(lambda: sale.pool.fetchval("SELECT ended_at IS NOT NULL FROM session_refunds"))
        await drained(sale.pool)
    # What was paid before the worker came was reacted to by hand, without its queues.
    found = [one for one in await verify(sale.pool, idle=True) if one.check != "message_is_reacted_to"]
    assert found == []
    assert [(await sale.show(one.order_id)).status.value for one in sold] == ["refunded"] * 4
    assert [len(await sale.refunds(one.order_id)) for one in sold] == [1] * 4
    assert await sale.pool.fetchval("SELECT count(*) FROM simulated_refunds") == 4
    assert (await sale.balances(), await sale.stock()) == ({}, (10, 0, 0, 0))
