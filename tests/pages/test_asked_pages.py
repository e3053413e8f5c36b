"""What an event asks, in the form of a session: names and answers once it is known how many tickets, and consents."""

from typing import Any

from harness.catalogue import Organizer
from pages.browsing import Buyer, Form
from pages.test_buy_tickets import field_of, form_of, orders_of, taken

from fullhouse.infra.postgres import Pool

ASKED: dict[str, Any] = {
    "holders": "required",
    "questions": [
        {"key": "club", "text": "Which club?", "required": True},
        {"key": "meal", "text": "Which meal?", "scope": "ticket", "choices": ["vegan", "fish"]},
    ],
    "consents": [
        {"purpose": "terms", "text": "I agree to the <b>house</b> rules.", "required": True},
        {"purpose": "news", "text": "Write to me."},
    ],
}


async def ask(organizer: Organizer, session: dict[str, Any], form: dict[str, Any] = ASKED) -> None:
    answer = await organizer.client.put(f"/api/v1/events/{session['event_id']}/form", json=form)
    assert answer.status_code == 200, answer.text


def fields_of(form: Form, start: str) -> list[str]:
    return [name for name in form.fields if name.startswith(start)]


def without_consents(form: Form) -> Form:
    """Leave the boxes open, as they stand: the reader of the tests ticks every box."""
    kept = {name: value for name, value in form.fields.items() if not name.startswith("consent-")}
    return Form(form.action, kept, form.choices)


async def test_names_and_answers_are_asked_once_it_is_known_how_many(
    buyer: Buyer, organizer: Organizer, pool: Pool
) -> None:
    session = await organizer.on_sale()
    await ask(organizer, session)
    first = await form_of(buyer, session)
    assert fields_of(first, "holder-") == []
    assert "We ask for this in the next step" in (await buyer.open(f"/sessions/{session['id']}")).text
    second = await buyer.send(first, {"answer-club": "Os Aventureiros"})
    assert (second.status, "Almost done" in second.text) == (200, True)
    assert await taken(organizer, session) == (100, 0, 0, 0), "nothing is reserved yet"
    form = second.form()
    assert form.fields["answer-club"] == "Os Aventureiros"
    names, meals = fields_of(form, "holder-"), [name for name in form.fields if name.endswith("-meal")]
    assert (len(names), len(meals)) == (2, 2)
    assert form.choices[meals[0]] == ["", "vegan", "fish"]
    page = await buyer.send(form, {names[0]: "Rui Lima", names[1]: "Eva Lima", meals[0]: "vegan"})
    assert page.title == "Pay for your tickets · Fullhouse"
    event_id = session["event_id"]
    of_event = "order_id IN (SELECT order_id FROM orders WHERE event_id = $1::uuid)"
    rows = await pool.fetch(f"SELECT name FROM order_holders WHERE {of_event} ORDER BY number", event_id)
    assert [row["name"] for row in rows] == ["Rui Lima", "Eva Lima"]
    rows = await pool.fetch(f"SELECT question, answer FROM order_answers WHERE {of_event} ORDER BY 1", event_id)
    assert [tuple(row.values()) for row in rows] == [("club", "Os Aventureiros"), ("meal", "vegan")]
    rows = await pool.fetch(
        f"SELECT purpose, text_version FROM order_consents WHERE {of_event} AND given_at IS NOT NULL ORDER BY 1",
        event_id,
    )
    assert [tuple(row.values()) for row in rows] == [("news", "1"), ("terms", "1")]


async def test_what_is_missing_is_named_and_nothing_is_reserved(buyer: Buyer, organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    await ask(organizer, session)
    page = await buyer.send(await form_of(buyer, session, 1), {"answer-club": "A"})
    form = without_consents(page.form())
    refused = await buyer.send(form, {"answer-club": " "})
    assert refused.status == 422
    for words in ("Say who this ticket is for.", "Please answer this.", "Without agreeing to this"):
        assert words in refused.text
    assert "<b>house</b>" in refused.text, "a text is no markup"
    [name] = fields_of(form, "holder-")
    meal = next(name for name in form.fields if name.endswith("-meal"))
    odd = await buyer.send(page.form(), {name: "Rui", "answer-club": "A", meal: "meat"})
    assert (odd.status, "Choose one of those that are offered." in odd.text) == (422, True)
    assert await orders_of(pool, session) == 0
    assert await taken(organizer, session) == (100, 0, 0, 0)
    more = await buyer.send(page.form(), {name: "Rui", "answer-club": "A", field_of(session): "2"})
    assert len(fields_of(more.form(), "holder-")) == 2
    assert more.form().fields[name] == "Rui"


async def test_a_text_that_changed_is_agreed_to_again(buyer: Buyer, organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    asked = {"consents": [{"purpose": "terms", "text": "The old rules.", "required": True}]}
    await ask(organizer, session, asked)
    form = await form_of(buyer, session, 1)
    await ask(organizer, session, {"consents": [{"purpose": "terms", "text": "The new rules.", "required": True}]})
    page = await buyer.send(form)
    assert (page.status, "What this event asks has changed" in page.text) == (409, True)
    assert "The new rules." in page.text
    assert "checked" not in page.answer.text.split("consent-terms")[1].split(">")[0]
    assert await orders_of(pool, session) == 0
    assert await taken(organizer, session) == (100, 0, 0, 0), "what was reserved went back"
    assert (await buyer.send(page.form())).title == "Pay for your tickets · Fullhouse"


async def test_an_event_that_asks_nothing_asks_nothing(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    page = await buyer.open(f"/sessions/{session['id']}")
    assert "The organizer asks" not in page.text
    assert "Who are the tickets for?" not in page.text
