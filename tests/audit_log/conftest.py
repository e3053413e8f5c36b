"""The real app on a session that is on sale, and the audit log of its organization."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, open_app
from valkey.asyncio import Valkey

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


async def entries_of(pool: Any, organization_id: Any, **wanted: Any) -> list[dict[str, Any]]:
    """List an organization's entries as they were written, the oldest first."""
    rows = await pool.fetch(
        "SELECT * FROM audit_entries WHERE organization_id = $1 ORDER BY occurred_at, position", organization_id
    )
    found = [dict(row) for row in rows]
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]
