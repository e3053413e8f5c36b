"""The product behind a pooler that lends connections for one transaction each, to more clients than it has of them.

Whatever relied on the session of a connection breaks here: statements prepared by name, SET, advisory locks of a
session, LISTEN. What lasts goes to the database directly.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from harness.pgbouncer import SERVER_CONNECTIONS, running_pgbouncer
from harness.sale import make_sale
from harness.shop import Shop, holder
from harness.stock import SERVER_KEY
from harness.web import client_of, make_resources, running_app
from harness.worker import SETTINGS, drained, running_worker

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mailer import open_mailer
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, open_pool
from fullhouse.infra.resources import Places, Resources
from fullhouse.operations.verify import verify
from fullhouse.workers.run import run_worker
from fullhouse.workers.work import work_of

BUYERS = 8


@pytest.fixture
def pooler_url(fresh_database: str, tmp_path: Path) -> Iterator[str]:
    with running_pgbouncer(fresh_database, tmp_path) as url:
        yield url


@pytest.fixture
async def lent(pooler_url: str) -> AsyncIterator[Pool]:
    """Open the product's own pool through the pooler."""
    opened = await open_pool(pooler_url, size_max=20, pooler=True)
    yield opened
    await opened.close()


@pytest.fixture
def parts(lent: Pool, valkey: Any, fresh_database: str, tmp_path: Path) -> Resources:
    return make_resources(
        lent,
        valkey,
        tmp_path,
        database_url=fresh_database,
        secret_key=SERVER_KEY,
        mailer=open_mailer(str(tmp_path / "mailbox"), "Box office <tickets@tickets.example>"),
    )


async def test_sales_run_from_hold_to_door_while_all_share_a_few_connections(
    parts: Resources, fresh_pool: Pool, tmp_path: Path
) -> None:
    sale = await make_sale(fresh_pool, capacity=BUYERS * 2)
    async with running_app(parts) as app, client_of(app) as client, running_worker(parts):
        client.base_url = client.base_url.join("/api/v1")
        shop = Shop(sale, client)

        async def buy() -> dict[str, Any]:
            order = await shop.order(2)
            assert (await shop.pay(order)).status_code == 201
            return order

        orders = await asyncio.gather(*(buy() for _ in range(BUYERS)))
        await drained(fresh_pool)
        scanner = await shop.member("scanner")
        for order in orders:
            shown = (await client.get(f"/orders/{order['id']}", headers=holder(order))).json()
            assert (shown["status"], len(shown["tickets"])) == ("paid", 2)
            codes = [ticket["code"] for ticket in shown["tickets"]]
            scans = [await client.post("/tickets/validate", json={"code": code}, headers=scanner) for code in codes * 2]
            assert [scan.json()["outcome"] for scan in scans] == ["admitted"] * 2 + ["already_admitted"] * 2
        await drained(fresh_pool)
    await sale.office.close()
    assert len(list((tmp_path / "mailbox").glob("*.eml"))) == BUYERS
    assert await verify(fresh_pool, idle=True) == []


async def test_organization_of_one_client_never_reaches_another(lent: Pool) -> None:
    """Every borrower finds its own organization set, and nobody's after it, however the connections change hands."""
    setting = "SELECT current_setting('fullhouse.organization_id', true)"
    of = [UUID(int=1), UUID(int=2), EVERY_ORGANIZATION]

    async def borrow(number: int) -> None:
        for _ in range(20):
            whose = of[number % len(of)]
            async with connection(lent, whose) as conn:
                found = await conn.fetchval(setting)
                assert found == ("" if whose is EVERY_ORGANIZATION else str(whose))
                assert await conn.fetchval("SELECT pg_backend_pid()") == await conn.fetchval("SELECT pg_backend_pid()")

    await asyncio.gather(*(borrow(number) for number in range(SERVER_CONNECTIONS * 3)))


async def test_schedule_without_a_direct_url_is_refused_in_one_line(parts: Resources) -> None:
    pooled_alone = replace(parts, database_url="")
    with pytest.raises(OperatorError, match="FULLHOUSE_DATABASE_DIRECT_URL"):
        await run_worker(pooled_alone, work_of(pooled_alone, SETTINGS), asyncio.Event())


@pytest.mark.parametrize(
    ("pooler", "direct", "lasting"),
    [(False, None, "pooled"), (True, None, ""), (True, "direct", "direct"), (False, "direct", "direct")],
)
def test_what_lasts_never_goes_through_a_pooler(*, pooler: bool, direct: str | None, lasting: str) -> None:
    places = Places(
        database_url="pooled",
        valkey_url=None,
        broker_url="postgres",
        object_store_url="o",
        mail_url="m",
        mail_from="f",
        secret_key=b"",
        public_url="",
        database_pooler=pooler,
        database_direct_url=direct,
    )
    assert places.lasting_url() == lasting
