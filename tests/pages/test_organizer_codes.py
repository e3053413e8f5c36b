"""The page of an organization's codes: for those who may, with forms that only a page of ours made."""

from uuid import UUID

import pytest
from harness.members import People, Person
from harness.web import Seller, client_of
from pages.browsing import Buyer

from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge

ENTERED = {"code": "summer-10", "percent": "10", "uses_max": "5", "note": "for the letter"}


@pytest.fixture
async def manager(app: Edge, pool: Pool, buyer: Buyer, seller: Seller) -> Person:
    return await signed_in(app, pool, buyer, seller.organization_id, "manager")


async def signed_in(app: Edge, pool: Pool, buyer: Buyer, organization_id: UUID, role: str) -> Person:
    person = await People(app, pool).join(organization_id, role)
    keep(buyer, person)
    return person


def keep(buyer: Buyer, person: Person) -> None:
    buyer.client.cookies.set("access", person.access_token, domain="tickets.example")


@pytest.mark.usefixtures("manager")
async def test_a_code_is_made_seen_and_switched_off(buyer: Buyer, seller: Seller, pool: Pool) -> None:
    path = f"/organizer/{seller.organization_id}/codes"
    assert path in (await buyer.open("/account")).links
    page = await buyer.open(path)
    made = await buyer.send(page.form("/codes"), ENTERED)
    assert (made.status, made.path) == (200, path)
    assert "SUMMER-10" in made.text
    assert "−10% · used: 0 / 5 · for the letter" in made.text
    twice = await buyer.send(made.form("/codes"), ENTERED)
    assert (twice.status, "There is a code of these letters already." in twice.text) == (422, True)
    assert twice.form("/codes").fields["note"] == "for the letter"
    off = await buyer.send(twice.form("/switch"))
    assert "Switch on" in off.text
    row = await pool.fetchrow("SELECT enabled, rate, uses_max FROM codes WHERE code = 'SUMMER-10'")
    assert tuple(row or ()) == (False, 100_000, 5)
    acts = await pool.fetch(
        "SELECT action, actor_label FROM audit_entries WHERE organization_id = $1 AND action LIKE 'code.%'",
        seller.organization_id,
    )
    assert {act["action"] for act in acts} == {"code.create", "code.update"}


@pytest.mark.usefixtures("manager")
@pytest.mark.parametrize("wrong", [{"percent": "200"}, {"code": "a b"}, {"uses_max": "many"}, {"percent": ""}])
async def test_what_makes_no_sense_is_explained_and_stays(buyer: Buyer, seller: Seller, wrong: dict[str, str]) -> None:
    form = (await buyer.open(f"/organizer/{seller.organization_id}/codes")).form("/codes")
    page = await buyer.send(form, {**ENTERED, "code": "WRONG-ONE", **wrong})
    assert (page.status, "Please check what you entered" in page.text) == (422, True)
    assert page.form("/codes").fields["note"] == "for the letter"


async def test_others_see_and_make_nothing(app: Edge, buyer: Buyer, seller: Seller, pool: Pool) -> None:
    path = f"/organizer/{seller.organization_id}/codes"
    asked = await buyer.client.get(path)
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in")
    await signed_in(app, pool, buyer, seller.organization_id, "box_office")
    assert (await buyer.open(path)).status == 403
    assert path not in (await buyer.open("/account")).links
    async with client_of(app) as client:
        stranger = Buyer(client)
        keep(stranger, await People(app, pool).sign_in())
        assert (await stranger.open(path)).status == 404
