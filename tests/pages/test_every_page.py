"""What holds for every page: language, headers, files of its own, and errors as pages for people only."""

import re
from pathlib import Path

import pytest
from harness.catalogue import Organizer
from harness.stock import SERVER_KEY
from harness.web import client_of, make_resources, running_app
from pages.browsing import Buyer
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def test_the_language_is_asked_for_then_switched_and_remembered(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    path = f"/sessions/{session['id']}"
    english = await buyer.open(path)
    asked = await buyer.open(path, **{"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.8"})
    switched = await buyer.open(f"{path}?lang=pt-BR")
    remembered = await buyer.open(path)
    back = await buyer.open(f"{path}?lang=en")
    nonsense = await buyer.open(f"{path}?lang=xx")
    for page, language, title in (
        (english, "en", "How many tickets?"),
        (asked, "pt-BR", "Quantos ingressos?"),
        (switched, "pt-BR", "Quantos ingressos?"),
        (remembered, "pt-BR", "Quantos ingressos?"),
        (back, "en", "How many tickets?"),
        (nonsense, "en", "How many tickets?"),
    ):
        assert f'<html lang="{language}">' in page.answer.text
        assert page.answer.headers["content-language"] == language
        assert title in page.text
    assert "set-cookie" not in english.answer.headers
    assert "HttpOnly" in switched.answer.headers["set-cookie"]
    assert "set-cookie" not in nonsense.answer.headers


async def test_the_switch_keeps_what_was_asked_for(buyer: Buyer) -> None:
    page = await buyer.open("/?q=fado+%26+more")
    assert "/?q=fado+%26+more&lang=pt-BR" in page.links


async def test_prices_and_dates_are_written_as_the_language_does(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    page = await buyer.open(f"/sessions/{session['id']}", **{"Accept-Language": "pt"})
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "sábado, 12 de julho de 2031, 21:00" in text
    assert "€ 25,00" in text
    assert "Restam 100" in text


async def test_every_page_is_held_to_a_strict_policy(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    live = f"/sessions/{session['id']}"
    for path in ("/", f"/events/{session['event_id']}", live, "/nothing"):
        headers = (await buyer.open(path)).answer.headers
        allowed = "; script-src 'self'; connect-src 'self'" if path == live else ""
        assert headers["content-security-policy"] == POLICY + allowed
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["vary"] == "Cookie, Accept-Language"


async def test_a_script_loads_the_version_of_another_that_belongs_to_it(buyer: Buyer, organizer: Organizer) -> None:
    session = await organizer.on_sale()
    page = await buyer.open(f"/sessions/{session['id']}")
    [path] = re.findall(r'<script type="module" src="(/static/session\.[0-9a-f]{12}\.js)"></script>', page.answer.text)
    script = await buyer.client.get(path)
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    [library] = re.findall(r'from "\./(stream-1\.[0-9a-f]{12}\.js)"', script.text)
    kept = await buyer.client.get(f"/static/{library}")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    lasting = await buyer.client.get("/static/stream-1.js")
    assert (lasting.content, lasting.headers["cache-control"]) == (kept.content, "no-cache")


async def test_files_are_kept_for_good_under_the_hash_of_their_content(buyer: Buyer) -> None:
    page = await buyer.open("/")
    [path] = re.findall(r'href="(/static/shop\.[0-9a-f]{12}\.css)"', page.answer.text)
    style = await buyer.client.get(path)
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    other_version = await buyer.client.get("/static/shop.000000000000.css")
    assert (other_version.content, other_version.headers["cache-control"]) == (style.content, "no-cache")
    assert len(style.content) < 24_000
    assert "http" not in style.text
    for name in ("shop.css", "session.js", "nothing.css", "..%2Fevents.py", "shop.000000000000.svg"):
        assert (await buyer.client.get(f"/static/{name}")).status_code == 404


async def test_programs_get_problems_and_people_get_pages(buyer: Buyer) -> None:
    for path, accept, kind in (
        ("/nothing", "text/html", "text/html"),
        ("/nothing", "*/*", "application/problem+json"),
        ("/api/v1/nothing", "text/html,*/*", "application/problem+json"),
    ):
        answer = await buyer.client.get(path, headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith(kind), (path, accept)


async def test_a_fault_of_ours_says_its_number_and_nothing_else(
    buyer: Buyer, organizer: Organizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await organizer.on_sale()

    async def break_down(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("fullhouse.catalogue.event_board.show_session", break_down)
    page = await buyer.open(f"/sessions/{session['id']}", **{"X-Request-ID": "look-here-7"})
    assert page.status == 500
    assert "Something went wrong on our side" in page.text
    assert "look-here-7" in page.text
    assert "inside" not in page.answer.text


async def test_without_a_database_a_page_asks_for_patience(
    buyer: Buyer, organizer: Organizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await organizer.on_sale()

    async def cut(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr("fullhouse.catalogue.event_board.show_session", cut)
    page = await buyer.open(f"/sessions/{session['id']}")
    assert page.status == 503
    assert page.answer.headers["retry-after"] == "5"
    assert "We are very busy right now" in page.text


async def test_without_a_way_to_pay_the_page_says_so(
    pool: Pool, valkey: Valkey, organizer: Organizer, tmp_path: Path
) -> None:
    session = await organizer.on_sale()
    resources = make_resources(pool, valkey, tmp_path, secret_key=SERVER_KEY)
    async with running_app(resources, simulated_payments=False) as app, client_of(app) as client:
        buyer = Buyer(client)
        form = (await buyer.open(f"/sessions/{session['id']}")).form()
        kind = session["ticket_types"][0]["id"]
        form.fields |= {f"quantity-{kind}": "1", "email": "ana@example.com"}
        page = await buyer.send(form)
        assert "No way to pay is set up" in page.text
        assert [form.action for form in page.forms] == [f"{page.path}/cancel"]
        forced = await client.post(
            f"{page.path}/pay",
            data={"outcome": "succeed", "attempts": "0"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
    assert forced.headers["location"] == f"{page.path}?notice=provider_unknown"
