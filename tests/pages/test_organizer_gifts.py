"""The page on which tickets are given away: for those who may, once for a form, out of the stock like anything."""

from typing import Any

import pytest
from harness.catalogue import Organizer, quota
from harness.web import Seller
from pages.browsing import Buyer, Form
from pages.test_organizer_codes import signed_in

from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge

TO_ANA = {"email": "ana.souza@example.com", "name": "Ana Souza", "reason": "Press"}


@pytest.fixture(autouse=True)
async def box_office(app: Edge, pool: Pool, buyer: Buyer, seller: Seller) -> None:
    await signed_in(app, pool, buyer, seller.organization_id, "box_office")


async def form_of(buyer: Buyer, organizer: Organizer, session: dict[str, Any]) -> tuple[Form, str]:
    """Choose the session as a browser does; return the form, and its field of the first ticket type."""
    path = f"/organizer/{organizer.organization_id}/gifts"
    assert path in (await buyer.open("/account")).links
    choose = (await buyer.open(path)).form("/gifts")
    page = await buyer.open(f"{path}?event={session['event_id']}&session={session['id']}")
    assert session["event_id"] in choose.choices["event"]
    (form,) = [one for one in page.forms if "reason" in one.fields]
    return form, f"quantity:{session['ticket_types'][0]['id']}"


async def test_tickets_are_given_once_for_a_form(buyer: Buyer, organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    form, field = await form_of(buyer, organizer, session)
    for _ in range(2):
        given = await buyer.send(form, {**TO_ANA, field: "2"})
        assert (given.status, "They are given" in given.text) == (200, True)
    rows = await pool.fetch("SELECT status, total_minor, reason FROM orders WHERE session_id = $1", session["id"])
    assert [tuple(row) for row in rows] == [("paid", 0, "Press")]
    name = session["quotas"][0]["name"]
    assert quota(await organizer.look(session), name)[2] == 2
    acts = await pool.fetch(
        "SELECT actor_kind FROM audit_entries WHERE organization_id = $1 AND action = 'order.give'",
        organizer.organization_id,
    )
    assert [act["actor_kind"] for act in acts] == ["user"]


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"quantity": "many"}, 422, "Please enter whole numbers of tickets"),
        ({"email": "ana"}, 422, "Please enter whole numbers of tickets"),
        ({"reason": ""}, 422, "Please enter whole numbers of tickets"),
        ({"quantity": "50"}, 409, "That is more than one order may have."),
    ],
)
async def test_what_cannot_be_given_is_explained_and_stays(
    buyer: Buyer, organizer: Organizer, pool: Pool, wrong: dict[str, str], status: int, said: str
) -> None:
    session = await organizer.on_sale()
    form, field = await form_of(buyer, organizer, session)
    entered = {**TO_ANA, field: wrong.get("quantity", "1"), **{k: v for k, v in wrong.items() if k != "quantity"}}
    page = await buyer.send(form, entered)
    assert (page.status, said in page.text) == (status, True), page.text
    (again,) = [one for one in page.forms if "reason" in one.fields]
    assert again.fields["name"] == "Ana Souza"
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE session_id = $1", session["id"]) == 0


async def test_scanners_and_sessions_of_others_are_kept_out(
    app: Edge, buyer: Buyer, organizer: Organizer, seller: Seller, pool: Pool
) -> None:
    session = await organizer.on_sale()
    form, field = await form_of(buyer, organizer, session)
    stranger = await buyer.send(form, {**TO_ANA, field: "1", "session": "018f0000-0000-7000-8000-000000000000"})
    assert stranger.status == 404
    await signed_in(app, pool, buyer, seller.organization_id, "scanner")
    path = f"/organizer/{organizer.organization_id}/gifts"
    assert (await buyer.open(path)).status == 403
    assert path not in (await buyer.open("/account")).links
