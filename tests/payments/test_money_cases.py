"""Cases of money: listed for who may refund, page by page, and closed by a person once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from harness.sale import make_sale
from harness.shop import Shop, open_app
from structlog.testing import capture_logs
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.telemetry import render_metrics
from fullhouse.operations.verify import CHECKS
from fullhouse.payments.money_cases import NewCase, open_case


@pytest.fixture
async def shop(pool: Pool, valkey: Valkey, tmp_path: Path) -> AsyncIterator[Shop]:
    sale = await make_sale(pool)
    async with open_app(pool, valkey, tmp_path) as client:
        yield Shop(sale, client)


async def open_cases(shop: Shop, *subjects: str) -> None:
    made = shop.sale.made
    for subject in subjects:
        async with transaction(shop.sale.pool, made.organization_id) as conn:
            new = NewCase("capture_unknown", "stripe", subject, "Money of nobody.")
            assert await open_case(conn, system.make_id, made.organization_id, new)
            assert not await open_case(conn, system.make_id, made.organization_id, new), "one case for one thing"


async def listed(shop: Shop, **query: Any) -> dict[str, Any]:
    path = f"/organizations/{shop.sale.made.organization_id}/money-cases"
    answer = await shop.client.get(path, params=query, headers=await shop.member("manager"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def resolve(shop: Shop, case_id: str, **body: str) -> Any:
    path = f"/organizations/{shop.sale.made.organization_id}/money-cases/{case_id}/resolve"
    return await shop.client.post(path, json=body, headers=await shop.member("manager"))


async def test_cases_are_listed_by_pages_and_closed_with_a_reason_once(shop: Shop) -> None:
    await open_cases(shop, "pi_1", "pi_2", "pi_3")
    first = await listed(shop, limit=2)
    rest = await listed(shop, limit=2, cursor=first["next_cursor"])
    assert [one["subject"] for one in first["items"] + rest["items"]] == ["pi_1", "pi_2", "pi_3"]
    assert rest["next_cursor"] is None

    case_id = first["items"][0]["id"]
    closed = await resolve(shop, case_id, resolution="none_of_ours")
    again = await resolve(shop, case_id, resolution="written_off")
    assert (closed.status_code, again.status_code) == (200, 200)
    assert (closed.json()["resolution"], closed.json()["reference"]) == ("none_of_ours", None)
    assert again.json() == closed.json()
    assert [one["subject"] for one in (await listed(shop))["items"]] == ["pi_2", "pi_3"]
    assert [one["id"] for one in (await listed(shop, status="closed"))["items"]] == [case_id]
    entries = await shop.sale.pool.fetch(
        "SELECT details FROM audit_entries WHERE organization_id = $1 AND action = 'money_case.resolve'",
        shop.sale.made.organization_id,
    )
    assert [row["details"] for row in entries] == [
        {"kind": "capture_unknown", "provider": "stripe", "resolution": "none_of_ours"}
    ]


async def test_a_case_raises_the_alarm_as_metric_log_and_in_verify(shop: Shop) -> None:
    name = 'money_cases_opened_total{kind="capture_unknown"}'
    before = counted(name)
    with capture_logs() as logs:
        await open_cases(shop, "pi_7")
    assert counted(name) == before + 1
    (line,) = [one for one in logs if one["event"] == "money_case_opened"]
    assert (line["log_level"], line["kind"], line["subject"]) == ("error", "capture_unknown", "pi_7")
    check = next(check for check in CHECKS if check.name == "money_case_is_closed")
    async with connection(shop.sale.pool, EVERY_ORGANIZATION) as conn:
        rows = await conn.fetch(check.query)
    found = [row["subject"] for row in rows if row["organization_id"] == shop.sale.made.organization_id]
    assert found == ["pi_7"]


def counted(name: str) -> float:
    lines = [line for line in render_metrics().decode().splitlines() if name in line]
    return float(lines[0].split()[-1]) if lines else 0.0


async def test_a_case_of_another_organization_is_not_there_and_reasons_are_a_few_words(shop: Shop) -> None:
    other = Shop(await make_sale(shop.sale.pool), shop.client)
    await open_cases(other, "pi_9")
    (case,) = (await listed(other))["items"]
    refused = await resolve(shop, case["id"], resolution="written_off")
    assert (refused.status_code, refused.json()["code"]) == (404, "money_case_not_found")
    told = await resolve(other, case["id"], resolution="Ana Souza called us")
    assert told.status_code == 422
    assert [one["closed_at"] for one in (await listed(other))["items"]] == [None]
