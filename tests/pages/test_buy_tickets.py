"""Buying in a browser: one order for each form that was sent, and every refusal explained with the input kept."""

import asyncio
from functools import partial
from typing import Any

import pytest
from harness.catalogue import Organizer, quota
from pages.browsing import Buyer, Form

from fullhouse.infra.postgres import Pool

ANA = {"name": "Ana Souza", "email": "ana.souza@example.com"}


def field_of(session: dict[str, Any], ticket_type: int = 0) -> str:
    return f"quantity-{session['ticket_types'][ticket_type]['id']}"


async def form_of(buyer: Buyer, session: dict[str, Any], count: int = 2, ticket_type: int = 0) -> Form:
    """Open a session's page and fill in its form."""
    form = (await buyer.open(f"/sessions/{session['id']}")).form()
    form.fields |= {field_of(session, ticket_type): str(count), **ANA}
    return form


async def taken(
    organizer: Organizer, session: dict[str, Any], name: str = "ticket-type-1"
) -> tuple[int, int, int, int]:
    return quota(await organizer.look(session), name)


async def orders_of(pool: Pool, session: dict[str, Any]) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM orders WHERE session_id = $1::uuid", session["id"])
    return count


async def test_a_form_places_an_order_and_leads_to_its_page(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    page = await buyer.send(await form_of(buyer, session))
    assert page.status == 200
    assert page.title == "Pay for your tickets · Fullhouse"
    assert "2 × Adult" in page.text
    assert "Total €50.00" in page.text
    assert "Ana Souza ana.souza@example.com" in page.text
    assert "That leaves you 15 minutes." in page.text
    assert page.form("/pay").choices["outcome"] == ["succeed", "decline", "late", "lost_answer"]
    assert await taken(organizer, session) == (100, 2, 0, 0)


async def test_a_double_click_and_a_reload_place_one_order(buyer: Buyer, organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    answers = await asyncio.gather(*(buyer.post(form) for _ in range(8)))
    again = await buyer.post(form)
    assert {answer.status_code for answer in [*answers, again]} == {303}
    assert len({answer.headers["location"] for answer in [*answers, again]}) == 1
    assert await orders_of(pool, session) == 1
    assert await taken(organizer, session) == (100, 2, 0, 0)


async def test_a_form_that_was_changed_after_going_back_is_a_new_order(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    first = await buyer.send(form)
    form.fields[field_of(session)] = "3"
    second = await buyer.send(form)
    assert first.path != second.path
    assert await taken(organizer, session) == (100, 5, 0, 0)


async def test_what_is_wrong_is_named_and_what_was_entered_stays(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session, 3)
    page = await buyer.send(form, {"email": "ana at example"})
    refused = page.form()
    assert page.status == 422
    assert page.title.startswith("Error: ")
    assert "Enter an e-mail address, such as ana@example.com." in page.text
    assert "#email" in page.links
    assert refused.fields[field_of(session)] == "3"
    assert (refused.fields["name"], refused.fields["email"]) == ("Ana Souza", "ana at example")
    assert await taken(organizer, session) == (100, 0, 0, 0)
    assert (await buyer.send(refused, {"email": "ana@example.com"})).title == "Pay for your tickets · Fullhouse"


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ("0", "Choose at least one ticket."),
        ("", "Choose at least one ticket."),
        ("two", "Enter a whole number."),
        ("-1", "Enter a whole number."),
        ("1e3", "Enter a whole number."),
        ("²", "Enter a whole number."),
        ("11", "One order may have at most 10 of these tickets. Please choose fewer."),
    ],
)
async def test_how_many_is_checked(buyer: Buyer, organizer: Organizer, entered: str, words: str) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    page = await buyer.send(form, {field_of(session): entered})
    assert page.status in {409, 422}
    assert words in page.text
    assert page.form().fields["email"] == ANA["email"]
    assert await taken(organizer, session) == (100, 0, 0, 0)


async def test_somebody_else_was_faster(buyer: Buyer, organizer: Organizer) -> None:
    types = [{"name": "Adult", "price_minor": 2500, "capacity": 3}]
    session = await organizer.on_sale(ticket_types=types)
    form = await form_of(buyer, session, 3)
    assert (await organizer.hold(session, 1)).status_code == 201
    page = await buyer.send(form)
    assert page.status == 409
    assert "Only 2 places are left for Adult at this moment. Please choose fewer tickets." in page.text
    assert page.form().fields[field_of(session)] == "2"
    assert page.form().fields["key"] != form.fields["key"]
    assert await taken(organizer, session) == (3, 1, 0, 0)
    assert (await buyer.send(page.form())).title == "Pay for your tickets · Fullhouse"
    gone = await buyer.send(form, {field_of(session): "1"})
    assert "Adult: sold out" in gone.text
    assert [form.action for form in gone.forms] == [f"{form.action}/code"]


async def test_sales_that_ended_meanwhile_are_explained(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    await organizer.change(session, sales_until_local="2020-01-01T00:00")
    page = await buyer.send(form)
    assert page.status == 409
    assert "Sales have ended" in page.text
    assert await taken(organizer, session) == (100, 0, 0, 0)


async def test_price_categories_are_a_choice(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale(
        price_categories=[{"key": "front", "capacity": 5}, {"key": "back", "capacity": 5}],
        ticket_types=[
            {
                "name": "Adult",
                "prices": [
                    {"price_category": "front", "price_minor": 3000},
                    {"price_category": "back", "price_minor": 2000},
                ],
            },
            {"name": "Child", "prices": [{"price_category": "back", "price_minor": 900}]},
        ],
    )
    form = await form_of(buyer, session)
    assert form.choices["place"] == ["category:front", "category:back"]
    page = await buyer.send(form, {"place": "category:back"})
    assert "Total €40.00" in page.text
    child = field_of(session, 1)
    mixed = await form_of(buyer, session)
    together = await buyer.send(mixed, {"place": "category:back", child: "1"})
    assert "Total €49.00" in together.text
    nowhere = await buyer.send(await form_of(buyer, session), {"place": "category:moon"})
    assert "Choose where you would like to be." in nowhere.text
    assert await taken(organizer, session, "back") == (5, 5, 0, 0)
    assert await taken(organizer, session, "front") == (5, 0, 0, 0)


async def test_free_tickets_need_no_payment(buyer: Buyer, organizer: Organizer) -> None:
    types = [{"name": "Adult", "price_minor": 0, "capacity": 3}]
    session = await organizer.on_sale(ticket_types=types)
    shown = await buyer.open(f"/sessions/{session['id']}")
    page = await buyer.send(await form_of(buyer, session))
    assert "Free" in shown.text
    assert page.title == "Thank you! · Fullhouse"
    assert page.refresh == f"2;url={page.path}?looked=1"
    assert await taken(organizer, session) == (3, 0, 2, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://tickets.example"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
async def test_a_form_from_another_site_changes_nothing(
    buyer: Buyer, organizer: Organizer, pool: Pool, headers: dict[str, str]
) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    answer = await buyer.client.post(form.action, data=form.fields, headers=headers)
    assert answer.status_code == 403
    assert "This form came from another site" in answer.text
    assert await orders_of(pool, session) == 0
    assert await taken(organizer, session) == (100, 0, 0, 0)


async def test_browsers_without_fetch_metadata_show_their_origin(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    answer = await buyer.client.post(form.action, data=form.fields, headers={"Origin": "http://tickets.example"})
    assert answer.status_code == 303


async def test_what_is_no_form_of_ours_is_refused(buyer: Buyer, organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    form = await form_of(buyer, session)
    post = partial(buyer.client.post, headers={"Accept": "text/html"})
    answers = [
        await post(form.action, json=form.fields),
        await post(form.action, files={"name": ("a.txt", b"x")}, data=form.fields),
        await post(form.action, data={**form.fields, "key": "short"}),
        await post(form.action, data={**form.fields, "name": "a\x00b"}),
        await post(form.action, data={f"field{number}": "x" for number in range(501)}),
        await post(form.action, content=b"key=x"),
    ]
    assert [answer.status_code for answer in answers] == [400] * 6
    assert all("This did not work" in answer.text for answer in answers)
    assert await orders_of(pool, session) == 0
