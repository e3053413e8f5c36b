"""Statements, lines and CSV files over HTTP: what they hold, who may, and what is written down of it."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, open_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.reports.export_csv import Exporter
from fullhouse.reports.exports import EXPORTS
from fullhouse.reports.rules import ExportsBusy, Scope


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool), client)


def path(shop: Shop, rest: str) -> str:
    return f"/organizations/{shop.sale.made.organization_id}/{rest}"


async def read(shop: Shop, kind: str, headers: dict[str, str], query: str = "") -> list[dict[str, str]]:
    answer = await shop.client.get(path(shop, f"exports/{kind}{query}"), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="{kind}-' in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def test_the_statement_and_its_lines(shop: Shop) -> None:
    order, office = await shop.paid(2), await shop.member("box_office")
    answer = await shop.client.get(path(shop, "ledger"), headers=office)
    assert answer.status_code == 200
    closing = {one["account"]: one["closing_minor"] for one in answer.json()["accounts"]}
    assert closing == {"buyers": 0, "provider:simulated": 5000, "sales": -5000}
    pages, cursor = [], ""
    while cursor is not None:
        page = (await shop.client.get(path(shop, f"ledger/lines?limit=3{cursor}"), headers=office)).json()
        pages.append([line["amount_minor"] for line in page["items"]])
        assert {line["order_id"] for line in page["items"]} == {order["id"]}
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert [len(page) for page in pages] == [3, 1]
    assert sum(amount for page in pages for amount in page) == 0


async def test_each_file_holds_what_happened(shop: Shop) -> None:
    order, manager = await shop.paid(3), await shop.member("manager")
    body = {"lines": [{"line_number": 1, "quantity": 1}], "reason": '=HYPERLINK("http://x.example")'}
    assert (await shop.client.post(f"/orders/{order['id']}/refunds", json=body, headers=manager)).status_code == 201
    await shop.sale.work()
    [row] = await read(shop, "orders", manager)
    assert (row["order_id"], row["status"], row["tickets"], row["email"]) == (
        order["id"], "paid", "3", "ana.souza@example.com",
    )  # fmt: skip
    assert (row["total_minor"], row["total"], row["refunds_minor"], row["currency"]) == ("7500", "75.00", "2500", "EUR")
    [row] = await read(shop, "payments", manager)
    assert (row["status"], row["captured"], row["provider"]) == ("succeeded", "75.00", "simulated")
    [row] = await read(shop, "refunds", manager)
    assert (row["status"], row["amount_minor"], row["reason"]) == (
        "succeeded", "2500", "'=HYPERLINK(\"http://x.example\")",
    )  # fmt: skip
    rows = await read(shop, "ledger", manager)
    assert sum(int(row["amount_minor"]) for row in rows) == 0
    assert {row["amount"] for row in rows} >= {"-75.00", "75.00", "-25.00", "25.00"}
    rows = await read(shop, "balances", manager)
    assert {row["account"]: row["balance"] for row in rows} == {
        "buyers": "0.00", "provider:simulated": "50.00", "refunds": "0.00", "sales": "-50.00",
    }  # fmt: skip


@pytest.mark.parametrize("kind", EXPORTS)
async def test_a_file_of_nothing_has_its_heading(shop: Shop, kind: str) -> None:
    await shop.paid(1)
    office = await shop.member("box_office")
    assert await read(shop, kind, office, "?from=2031-01-01T00:00:00Z") == []
    assert await read(shop, kind, office, f"?session_id={shop.sale.made.organization_id}") == []
    assert len(await read(shop, kind, office, f"?session_id={shop.sale.made.session_id}")) > 0 or kind == "refunds"


async def test_an_export_is_in_the_audit_log(shop: Shop, pool: Pool) -> None:
    await read(shop, "orders", await shop.member("box_office"), f"?event_id={shop.sale.made.organization_id}")
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        details = await conn.fetchval(
            "SELECT details FROM audit_entries WHERE organization_id = $1 AND action = 'report.export'",
            shop.sale.made.organization_id,
        )
    assert details == {"kind": "orders", "event_id": str(shop.sale.made.organization_id)}


async def test_who_may_not_read_orders_gets_no_names(shop: Shop) -> None:
    await shop.paid(1)
    issued = await shop.client.post(
        path(shop, "api-keys"),
        json={"name": "books", "role": "box_office", "scopes": ["report:read"]},
        headers=await shop.member("owner"),
    )
    key = {"Authorization": f"Bearer {issued.json()['key']}"}
    [row] = await read(shop, "orders", key)
    assert (row["email"], row["name"], row["total"]) == ("", "", "25.00")


async def test_no_more_than_two_at_once(pool: Pool) -> None:
    exporter, scope = Exporter(pool, at_once_max=1), Scope(UUID(int=1))
    first: Any = exporter.export_csv("ledger", scope, with_contacts=True)
    assert (await anext(first)).startswith(b"entry_id,line,")
    with pytest.raises(ExportsBusy):
        await anext(exporter.export_csv("ledger", scope, with_contacts=True))
    await first.aclose()
    assert [line async for line in exporter.export_csv("ledger", scope, with_contacts=True)] != []
