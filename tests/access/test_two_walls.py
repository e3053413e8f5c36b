"""Two walls stand between organizations: the conditions of the statements, and row level security.

Each is taken down in turn, and whoever asks for another organization's things still finds nothing. With both down they
are found, so it is the walls that hide them.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from access.house import House, build_house
from access.matrix import TABLE, expected
from harness.stock import SERVER_KEY
from harness.walls import WalledPool, careless, open_walled_pool
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool

Heard = dict[str, tuple[int, int]]
"""What an owner of another organization hears of each operation, as a person and with an API key."""

FOREIGNERS = ("foreigner", "foreign_key")
REFUSED: Heard = {
    operation: (expected(row, "foreigner"), expected(row, "foreign_key"))
    for operation, row in TABLE.items()
    if expected(row, "foreigner") == 404
}
LISTS = ("", "/members", "/invitations", "/api-keys", "/audit-log", "/events", "/webhook-endpoints")


@pytest.fixture(scope="module")
async def walls(database_url: str) -> AsyncIterator[WalledPool]:
    opened = await open_walled_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def house(
    walls: WalledPool, pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("walls")
    resources = make_resources(walls, valkey, folder, secret_key=SERVER_KEY)
    async with running_app(resources) as app, client_of(app) as client:
        yield await build_house(app, client, pool)


async def hear(house: House) -> Heard:
    async def ask(operation: str, asker: str) -> int:
        return (await house.ask(operation, TABLE[operation], asker)).status_code

    return {
        operation: (await ask(operation, FOREIGNERS[0]), await ask(operation, FOREIGNERS[1])) for operation in REFUSED
    }


async def see_own(house: House) -> dict[str, Any]:
    """Return what the other organization's owner sees of their own."""
    [own] = (await house.client.get("/api/v1/organizations", headers=house.askers["foreigner"])).json()["items"]
    seen: dict[str, Any] = {}
    for path in LISTS:
        answer = await house.client.get(f"/api/v1/organizations/{own['id']}{path}", headers=house.askers["foreigner"])
        assert answer.status_code == 200, path
        seen[path] = answer.json()
    return seen


async def test_with_both_walls_nothing_is_found(house: House) -> None:
    assert len(REFUSED) > 40
    assert await hear(house) == REFUSED


async def test_without_the_conditions_of_statements_nothing_is_found(house: House, walls: WalledPool) -> None:
    before = await see_own(house)
    with walls.down(statements=True):
        assert await hear(house) == REFUSED
        assert await see_own(house) == before


async def test_without_row_level_security_nothing_is_found(house: House, walls: WalledPool) -> None:
    before = await see_own(house)
    with walls.down(rows=True):
        assert await hear(house) == REFUSED
        assert await see_own(house) == before


async def test_without_both_walls_things_are_found(house: House, walls: WalledPool) -> None:
    """The tests above fail where a wall is missing: for so many operations it is all that refuses."""
    before = await see_own(house)
    with walls.down(statements=True, rows=True):
        seen = await see_own(house)
        heard = await hear(house)
    found = {operation for operation in REFUSED if heard[operation] != REFUSED[operation]}
    assert found >= {
        "PATCH /events/{event_id}",
        "POST /events/{event_id}/cancel",
        "PATCH /sessions/{session_id}",
        "GET /sessions/{session_id}/allocations",
        "POST /sessions/{session_id}/allocations",
        "POST /orders/{order_id}/refunds",
        "POST /refunds/{refund_id}/retry",
    }
    assert {path for path in LISTS if seen[path] != before[path]} >= {"/members", "/api-keys", "/audit-log", "/events"}


def test_a_careless_statement_is_the_same_without_the_organization() -> None:
    assert (
        careless("SELECT e.name FROM events e WHERE e.organization_id = $1 AND e.event_id = $2")
        == "SELECT e.name FROM events e WHERE ($1::uuid IS NOT NULL) AND e.event_id = $2"
    )
    assert (
        careless("SELECT 1 FROM a JOIN b USING (organization_id)") == "SELECT 1 FROM a JOIN b USING (organization_id)"
    )
