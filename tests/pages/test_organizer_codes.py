"""The page of an organization's codes: for those who may, with forms that only a page of ours made."""

from datetime import timedelta
from uuid import UUID

import pytest
from harness.catalogue import Organizer
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
async def test_a_code_takes_an_amount_off_chosen_types_of_an_event_for_a_while(
    buyer: Buyer, organizer: Organizer, pool: Pool
) -> None:
    session = await organizer.on_sale()
    page = await buyer.open(f"/organizer/{organizer.organization_id}/codes?event={session['event_id']}")
    form = page.form("/codes")
    entered = {
        "code": "five-off",
        "amount": "5,50",
        "per": "order",
        "per_buyer_max": "1",
        "valid_from": "2030-01-01T10:00",
        "valid_until": "2030-02-01T10:00",
    }
    wrong = await buyer.send(form, {**entered, "amount": "5,505"})
    assert (wrong.status, wrong.form("/codes").fields["amount"]) == (422, "5,505")
    made = await buyer.send(form, entered)
    assert made.status == 200, made.text
    row = await pool.fetchrow("SELECT * FROM codes WHERE code = 'FIVE-OFF'")
    assert row is not None
    assert (row["amount_minor"], row["currency"], row["per"], row["per_buyer_max"]) == (550, "EUR", "order", 1)
    assert str(row["event_id"]) == session["event_id"]
    assert [str(one) for one in row["ticket_type_ids"]] == [one["id"] for one in session["ticket_types"]]
    assert row["valid_until"] - row["valid_from"] == timedelta(days=31)


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
