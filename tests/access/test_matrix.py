"""Every operation of the OpenAPI document, asked by everybody: the table says what each hears.

Whoever is refused changes nothing: the log, the messages and the rows of the organization stay as they are.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from access.house import House, build_house
from access.matrix import ASKERS, DEAD, TABLE, expected, render
from harness.sources import ROOT
from harness.stock import SERVER_KEY
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool


@pytest.fixture(scope="module")
async def house(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    resources = make_resources(pool, valkey, folder, secret_key=SERVER_KEY)
    async with running_app(resources) as app, client_of(app) as client:
        yield await build_house(app, client, pool)


async def test_every_operation_has_a_row_and_every_row_an_operation(house: House) -> None:
    assert len(house.operations) > 60
    assert sorted(house.operations.keys() - TABLE.keys()) == []
    assert sorted(TABLE.keys() - house.operations.keys()) == []


@pytest.mark.parametrize("operation", TABLE)
async def test_everybody_hears_what_the_table_says(house: House, operation: str) -> None:
    row = TABLE[operation]
    wanted = {asker: expected(row, asker) for asker in ASKERS}
    refused = [asker for asker in ASKERS if wanted[asker] in {401, 403, 404}]
    before = await house.state()
    heard = {asker: (await house.ask(operation, row, asker)).status_code for asker in refused}
    assert await house.state() == before
    for asker in ASKERS:
        if asker not in refused:
            heard[asker] = (await house.ask(operation, row, asker)).status_code
    assert heard == wanted


async def test_the_askers_are_those_that_they_are_named_after(house: House) -> None:
    """Without this, a credential that is broken for another reason would be refused as well."""
    for asker in ("owner", "manager", "box_office", "scanner", "foreigner"):
        answer = await house.client.get("/api/v1/auth/me", headers=house.askers[asker])
        assert answer.status_code == 200
    codes: set[str] = set()
    for asker in DEAD:
        answer = await house.client.get(f"/api/v1/organizations/{house.organization_id}", headers=house.askers[asker])
        codes.add(answer.json()["code"])
    assert codes == {"credential_unknown"}


def test_the_page_shows_the_table() -> None:
    """``make access-table`` writes it anew."""
    assert (ROOT / "docs" / "reference" / "access.md").read_text(encoding="utf-8") == render()
