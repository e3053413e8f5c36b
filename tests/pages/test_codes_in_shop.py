"""The field for a code on a session's page: what it shows, what it sells, and what it says of a code that is not."""

from dataclasses import replace
from uuid import UUID

import pytest
from harness.catalogue import Organizer
from harness.charges import new_code
from harness.web import Seller
from pages.browsing import Buyer, Form
from pages.test_buy_tickets import ANA, field_of, form_of, taken

from fullhouse.infra.postgres import Pool
from fullhouse.pricing.codes import CodeTerms

TEN = CodeTerms("TEN-OFF", rate=100_000)


@pytest.fixture
async def ten(pool: Pool, seller: Seller) -> CodeTerms:
    letters = f"TEN-{await pool.fetchval('SELECT count(*) FROM codes')}"
    return (await new_code(pool, seller.organization_id, replace(TEN, code=letters))).terms


def with_code(form: Form, code: str) -> Form:
    """Press the button beside the field."""
    return Form(f"{form.action}/code", {**form.fields, "code": code})


async def test_a_code_shows_its_prices_keeps_what_was_entered_and_sells_at_them(
    buyer: Buyer, organizer: Organizer, ten: CodeTerms
) -> None:
    session = await organizer.on_sale()
    shown = await buyer.send(with_code(await form_of(buyer, session), ten.code.lower()))
    assert shown.status == 200
    assert "€22.50" in shown.text
    form = shown.form()
    assert {name: form.fields[name] for name in (*ANA, "code", field_of(session))} == {
        **ANA,
        "code": ten.code.lower(),
        field_of(session): "2",
    }
    page = await buyer.send(form)
    assert page.title == "Pay for your tickets · Fullhouse"
    assert f"{ten.code} -€5.00" in page.text
    assert "Total €45.00" in page.text
    assert await taken(organizer, session) == (100, 2, 0, 0)


async def test_a_code_that_is_not_is_explained_and_nothing_is_ordered(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    for sent in (with_code(form, "NOTHING"), Form(form.action, {**form.fields, "code": "NOTHING"})):
        page = await buyer.send(sent)
        assert page.status == 409
        assert "This code is not valid here, or no longer" in page.text
        assert (page.form().fields["code"], page.form().fields["email"]) == ("NOTHING", ANA["email"])
    assert await taken(organizer, session) == (100, 0, 0, 0)
    assert (await buyer.send(form, {"code": " "})).title == "Pay for your tickets · Fullhouse"


async def test_a_hidden_ticket_type_is_on_the_page_with_its_code_alone(
    buyer: Buyer, organizer: Organizer, pool: Pool, seller: Seller
) -> None:
    types = [
        {"name": "Adult", "price_minor": 2500, "capacity": 9},
        {"name": "Patrons", "price_minor": 4000, "capacity": 9, "hidden": True},
    ]
    session = await organizer.on_sale(ticket_types=types)
    assert [kind["name"] for kind in session["ticket_types"]] == ["Adult", "Patrons"]
    opened = frozenset(UUID(kind["id"]) for kind in session["ticket_types"][1:])
    await new_code(pool, seller.organization_id, CodeTerms("PATRONS", ticket_type_ids=opened))
    form = await form_of(buyer, session, 1)
    assert field_of(session, 1) not in form.fields
    shown = await buyer.send(with_code(form, "patrons"))
    assert "Patrons" in shown.text
    page = await buyer.send(shown.form(), {field_of(session): "0", field_of(session, 1): "2"})
    assert "Total €80.00" in page.text


async def test_the_last_use_gone_is_explained_and_gives_the_places_back(
    buyer: Buyer, organizer: Organizer, pool: Pool, seller: Seller
) -> None:
    await new_code(pool, seller.organization_id, CodeTerms("LAST-ONE", rate=500_000, uses_max=1))
    session = await organizer.on_sale()
    first, second = [await form_of(buyer, session) for _ in range(2)]
    assert (await buyer.send(first, {"code": "last-one"})).status == 200
    refused = await buyer.send(second, {"code": "last-one"})
    assert (refused.status, "This code is not valid here" in refused.text) == (409, True)
    assert await taken(organizer, session) == (100, 2, 0, 0)
    again = await buyer.send(first, {"code": "last-one"})
    assert again.title == "Pay for your tickets · Fullhouse", "the same form again: the same order"


async def test_where_all_is_hidden_the_field_is_all_that_is_offered(
    buyer: Buyer, organizer: Organizer, pool: Pool, seller: Seller
) -> None:
    session = await organizer.on_sale(
        ticket_types=[{"name": "Patrons", "price_minor": 4000, "capacity": 9, "hidden": True}]
    )
    kinds = frozenset({UUID(session["ticket_types"][0]["id"])})
    await new_code(pool, seller.organization_id, CodeTerms("ONLY-PATRONS", ticket_type_ids=kinds))
    page = await buyer.open(f"/sessions/{session['id']}")
    assert "Sold out" in page.text
    assert "Patrons" not in page.text
    assert "/static/session." in page.answer.text
    shown = await buyer.send(page.form("/code"), {"code": "only-patrons"})
    assert "Patrons" in shown.text
    assert "/static/session." not in shown.answer.text, "everybody's numbers know nothing of what was opened"
    bought = await buyer.send(shown.form(), {field_of(session): "2", **ANA})
    assert "Total €80.00" in bought.text
