"""Who tickets are for, answers and consents: asked by the event, given with the order, kept beside it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app, reservation
from harness.stock import SERVER_KEY
from valkey.asyncio import Valkey

from fullhouse.events.form.rules import ConsentText, Form, Question, next_form
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.system import make_id
from fullhouse.orders.lines import NewUnit
from fullhouse.orders.persons.rules import Given, Holder, OfUnit, assign
from fullhouse.pricing.parts import Parts
from fullhouse.reservations.rules import HeldItem
from fullhouse.tickets.issue_tickets import issue_tickets

ASKED: dict[str, Any] = {
    "holders": "required",
    "questions": [
        {"key": "club", "text": "Which club?", "scope": "order", "required": True},
        {"key": "meal", "text": "Which meal?", "scope": "ticket", "choices": ["vegan", "fish"]},
    ],
    "consents": [
        {"purpose": "terms", "text": "I agree to the house rules.", "required": True},
        {"purpose": "newsletter", "text": "Write to me."},
    ],
}
GIVEN: dict[str, Any] = {
    "holders": [{"name": "Rui Lima", "answers": {"meal": "vegan"}}, {"name": "Eva Lima", "answers": {"meal": ""}}],
    "answers": {"club": "Os Aventureiros"},
    "consents": [{"purpose": "terms", "text_version": "1"}],
}


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool), client)


async def ask(shop: Shop, form: dict[str, Any]) -> dict[str, Any]:
    path = f"/events/{shop.sale.made.event_id}/form"
    answer = await shop.client.put(path, json=form, headers=await shop.member("manager"))
    assert answer.status_code == 200, answer.text
    assert (await shop.client.get(path)).json() == answer.json()
    return answer.json()


async def place(shop: Shop, given: dict[str, Any], **body: Any) -> httpx.Response:
    held = await shop.reserve(2)
    sent = {"reservation_id": held["id"], "email": "ana.souza@example.com", "name": "Ana Souza", **given, **body}
    return await shop.client.post("/orders", json=sent, headers=reservation(held))


async def rows(shop: Shop) -> list[int]:
    counts = [
        "SELECT count(*) FROM order_holders WHERE organization_id = $1",
        "SELECT count(*) FROM order_answers WHERE organization_id = $1",
        "SELECT count(*) FROM order_consents WHERE organization_id = $1",
        "SELECT count(*) FROM orders WHERE organization_id = $1",
    ]
    return [await shop.sale.pool.fetchval(count, shop.sale.made.organization_id) for count in counts]


async def test_an_event_asks_and_the_order_answers(shop: Shop) -> None:
    form = await ask(shop, ASKED)
    assert (form["version"], [one["text_version"] for one in form["consents"]]) == (1, ["1", "1"])
    order = (await place(shop, GIVEN)).json()
    assert order["status"] == "pending"
    assert await rows(shop) == [2, 2, 1, 1]
    await shop.pay(order)
    await shop.sale.work()
    organization_id = shop.sale.made.organization_id
    async with transaction(shop.sale.pool, organization_id) as conn:
        await issue_tickets(conn, make_id, SERVER_KEY, organization_id, UUID(order["id"]))
    shown = (await shop.client.get(f"/orders/{order['id']}", headers=holder(order))).json()
    assert [ticket["holder"] for ticket in shown["tickets"]] == ["Rui Lima", "Eva Lima"]
    assert shown["answers"] == [
        {"line_number": None, "number": None, "question": "club", "answer": "Os Aventureiros"},
        {"line_number": 1, "number": 1, "question": "meal", "answer": "vegan"},
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"holders": []}, "holders"),
        ({"holders": [{"name": "Rui Lima"}]}, "holders"),
        ({"holders": [{"name": "Rui"}, {"name": "Eva"}, {"name": "Ivo"}]}, "holders"),
        ({"holders": [{"name": "Rui"}, {"name": ""}]}, "holders.1.name"),
        ({"holders": [{"name": "Rui"}, {"name": "Eva", "ticket_type_id": str(uuid4())}]}, "holders"),
        ({"holders": [{"name": "Rui"}, {"name": "Eva", "answers": {"meal": "meat"}}]}, "holders.1.answers.meal"),
        ({"answers": {}}, "answers.club"),
        ({"answers": {"club": " "}}, "answers.club"),
        ({"answers": {"club": "A", "shoe": "44"}}, "answers.shoe"),
        ({"consents": []}, "consents"),
        ({"consents": [{"purpose": "newsletter", "text_version": "1"}]}, "consents"),
    ],
)
async def test_what_is_missing_or_was_not_asked_is_refused(shop: Shop, change: dict[str, Any], field: str) -> None:
    await ask(shop, ASKED)
    refused = await place(shop, {**GIVEN, **change})
    assert refused.status_code == 422, refused.text
    assert [error["field"] for error in refused.json()["errors"]] == [field]
    short = {"session_id": str(shop.sale.made.session_id), "quantity": 2, "email": "ana.souza@example.com"}
    again = await shop.client.post("/orders", json={**short, **GIVEN, **change})
    assert (again.status_code, again.json()["errors"]) == (422, refused.json()["errors"])
    assert await rows(shop) == [0, 0, 0, 0]
    assert await shop.sale.stock() == (10, 2, 0, 0), "the short form has held nothing"


async def test_a_text_that_changed_is_shown_again(shop: Shop) -> None:
    await ask(shop, ASKED)
    changed = {**ASKED, "consents": [{**ASKED["consents"][0], "text": "I agree to the new rules."}]}
    form = await ask(shop, changed)
    assert (form["version"], form["consents"][0]["text_version"]) == (2, "2")
    refused = await place(shop, GIVEN)
    assert (refused.status_code, refused.json()["code"], refused.json()["form_version"]) == (409, "form_changed", 2)
    assert await rows(shop) == [0, 0, 0, 0]
    agreed = {**GIVEN, "consents": [{"purpose": "terms", "text_version": "2"}]}
    assert (await place(shop, agreed)).status_code == 201


async def test_an_event_that_asks_nothing_takes_names_and_no_answers(shop: Shop) -> None:
    nothing = (await shop.client.get(f"/events/{shop.sale.made.event_id}/form")).json()
    assert nothing == {"version": 0, "holders": "no", "questions": [], "consents": []}
    refused = await place(shop, {"answers": {"club": "A"}})
    assert refused.status_code == 422
    given = {"holders": [{"name": "Rui Lima"}], "consents": [{"purpose": "newsletter", "text_version": "of-mine"}]}
    assert (await place(shop, given)).status_code == 201
    assert await rows(shop) == [1, 0, 1, 1]


@pytest.mark.parametrize(
    "form",
    [
        {"questions": [{"key": "a", "text": "A?"}, {"key": "a", "text": "B?"}]},
        {"consents": [{"purpose": "a", "text": "A"}, {"purpose": "a", "text": "B"}]},
        {"questions": [{"key": "A", "text": "A?"}]},
        {"questions": [{"key": "a", "text": "A?"}] * 21},
        {"holders": "perhaps"},
    ],
)
async def test_a_bad_form_changes_nothing(shop: Shop, form: dict[str, Any]) -> None:
    path = f"/events/{shop.sale.made.event_id}/form"
    await ask(shop, ASKED)
    assert (await shop.client.put(path, json=form, headers=await shop.member("manager"))).status_code == 422
    assert (await shop.client.get(path)).json()["version"] == 1


def test_a_text_keeps_its_version_while_it_stays_as_it_was() -> None:
    first = next_form(Form(), Form(consents=(ConsentText("terms", "A"), ConsentText("news", "B"))))
    asked = Form(questions=(Question("q", "Q?"),), consents=(ConsentText("news", "B"), ConsentText("terms", "C")))
    second = next_form(first, asked)
    assert second.version == 2
    assert {one.purpose: one.text_version for one in second.consents} == {"news": "1", "terms": "2"}
    assert next_form(second, second).consents == second.consents


def test_holders_find_the_units_of_their_types() -> None:
    types = [uuid4(), uuid4()]
    items = [HeldItem(kind, "", uuid4(), "", None, 2, (), 100, ()) for kind in types]
    units = [NewUnit(line, number, items[line - 1], None, Parts()) for line in (1, 2) for number in (1, 2)]
    any_one, of_second = Holder("Rui"), Holder("Eva", {}, types[1])
    found = assign(Given((any_one, of_second)).holders, units)
    assert sorted(found, key=lambda one: one.line_number) == [OfUnit(1, 1, any_one), OfUnit(2, 1, of_second)]
