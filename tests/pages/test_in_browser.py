"""A person buys in Chromium, in both languages, on a desk and on a phone, with scripts and without."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import pytest
from harness.pools import open_owners_pool
from harness.sale import ORDER_KEY, make_sale
from harness.servers import Databases
from harness.stock import SERVER_KEY, box_office, make_seated_session, make_session, wants
from harness.streams import state_of
from harness.web import make_resources
from pages.live import Inspector, running_chromium, running_shop
from playwright.async_api import Browser, Page, expect
from valkey.asyncio import Valkey

from fullhouse.core.secrets import derive_secret
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.resources import Resources
from fullhouse.operations.demo_data import make_demo_data
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import ItemRequest
from fullhouse.seating.rules import Point, PriceCategory, Row, Seat, SeatMap, Section

WORDS: dict[str, dict[str, str]] = {
    "en-US": {
        "get": "Get tickets",
        "reserve": "Reserve and go on to payment",
        "nothing chosen": "Choose at least one ticket.",
        "no mail": "Enter an e-mail address, such as ana@example.com.",
        "declined": "The payment was declined",
        "ready": "Your tickets are ready",
        "waiting": "Waiting for your payment",
        "cancel": "Cancel this order",
        "cancelled": "This order is cancelled",
        "check": "Check now",
        "missing": "There is nothing here",
        "pdf": "Download all tickets (PDF)",
    },
    "pt-BR": {
        "get": "Comprar ingressos",
        "reserve": "Reservar e ir para o pagamento",
        "nothing chosen": "Escolha pelo menos um ingresso.",
        "no mail": "Digite um e-mail, como ana@example.com.",
        "declined": "O pagamento foi recusado",
        "ready": "Seus ingressos estão prontos",
        "waiting": "Aguardando seu pagamento",
        "cancel": "Cancelar este pedido",
        "cancelled": "Este pedido foi cancelado",
        "check": "Verificar agora",
        "missing": "Não há nada aqui",
        "pdf": "Baixar todos os ingressos (PDF)",
    },
}
HEADINGS = {
    "pending": "Pague seus ingressos",
    "expired": "O prazo para pagar acabou",
    "cancelled": "Este pedido foi cancelado",
    "paid_unseated": "Você recebe seu dinheiro de volta",
    "paid": "Obrigado!",
    "refunded": "Este pedido foi reembolsado",
}
Scheme = Literal["light", "dark"]
Look = Callable[[str], Awaitable[None]]


def two_sections() -> SeatMap:
    """Make a room of a row A of 6 seats in one section, and a row B of 24 in another."""

    def section(name: str, first: int, count: int) -> Section:
        seats = tuple(
            Seat(first + n, f"{name}-{n + 1}", str(n + 1), f"{name} {n + 1}", float(n), float(first), "stalls")
            for n in range(count)
        )
        return Section(name, f"Section {name}", 1, Point(0.0, 0.0), (Row(name, name, seats),))

    return SeatMap("Two sections", (PriceCategory("stalls", "Stalls"),), (section("A", 0, 6), section("B", 6, 24)))


@dataclass(frozen=True)
class Shop:
    """A shop with the demo's two events on sale."""

    address: str
    organization_id: UUID


@pytest.fixture(scope="module")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """Make a database of its own, so that the worker finds no messages of other tests."""
    url = await databases.create("pages_in_browser")
    yield url
    await databases.drop(url)


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_owners_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def resources(
    pool: Pool, database_url: str, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Resources:
    folder = tmp_path_factory.mktemp("live")
    return make_resources(pool, valkey, folder, secret_key=SERVER_KEY, database_url=database_url)


@pytest.fixture(scope="module")
async def shop(resources: Resources) -> AsyncIterator[Shop]:
    demo = await make_demo_data(resources)
    async with running_shop(resources) as address:
        yield Shop(address, demo.organization_id)


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with running_chromium() as browser:
        yield browser


async def see_nothing(_: str) -> None:
    """Look at nothing: what looks needs scripts."""


async def buy_seats(page: Page, shop: Shop, words: dict[str, str], look: Look) -> None:
    """Go from the list of events to tickets in the hand, with a mistake and a declined card on the way."""
    await page.goto(shop.address)
    await look("list")
    await page.locator("#q").fill("glass orchard")
    await page.locator("#q").press("Enter")
    await look("search")
    await page.locator(".card h2 a").first.click()
    await look("event")
    await page.get_by_role("link", name=words["get"]).first.click()
    await look("session")
    await page.get_by_role("button", name=words["reserve"]).click()
    await expect(page.get_by_role("alert")).to_contain_text(words["nothing chosen"])
    await expect(page.get_by_role("alert")).to_contain_text(words["no mail"])
    await look("mistakes")
    await page.locator("select").first.select_option("2")
    await page.locator("#name").fill("Ana Souza")
    await page.locator("#email").fill("ana.souza@example.com")
    await page.get_by_role("button", name=words["reserve"]).click()
    await expect(page.locator(".lines")).to_contain_text("2 × Full price")
    await look("order")
    await page.locator("input[value=decline]").check()
    await page.locator("section .button").click()
    await expect(page.get_by_role("alert")).to_contain_text(words["declined"], timeout=30_000)
    await look("declined")
    await page.locator("input[value=succeed]").check()
    await page.locator("section .button").click()
    await expect(page.locator("h1")).to_have_text(words["ready"], timeout=30_000)
    await look("tickets")


async def see_that_tickets_are_there(page: Page, words: dict[str, str]) -> None:
    """Check that the codes are drawn, can be read as text, and can be taken home."""
    pictures = page.locator("img.qr")
    await expect(pictures).to_have_count(2)
    for number in range(2):
        assert await pictures.nth(number).bounding_box() is not None
    await page.locator(".ticket summary").first.click()
    await expect(page.locator(".code").first).to_be_visible()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name=words["pdf"]).click()
    downloaded = await (await downloading.value).path()
    assert downloaded.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("en-US", 1280, "light"), ("pt-BR", 360, "dark"), ("en-US", 360, "light")]
)
async def test_a_person_buys_seats(shop: Shop, chromium: Browser, language: str, width: int, scheme: Scheme) -> None:
    words = WORDS[language]
    context = await chromium.new_context(
        locale=language, viewport={"width": width, "height": 780}, color_scheme=scheme, accept_downloads=True
    )
    try:
        page = await context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        inspector = Inspector(page)
        await buy_seats(page, shop, words, inspector.look)
        await see_that_tickets_are_there(page, words)
        # The form with mistakes was answered so; nothing else was refused, by the server or by the page's policy.
        assert faults == ["Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"]
        missing = await page.goto(f"{shop.address}/nothing")
        assert missing is not None
        assert missing.status == 404
        await expect(page.locator("h1")).to_have_text(words["missing"])
        await inspector.look("missing")
        assert inspector.looked == 9
    finally:
        await context.close()


async def test_a_person_buys_without_scripts(shop: Shop, chromium: Browser) -> None:
    context = await chromium.new_context(locale="en-US", java_script_enabled=False, accept_downloads=True)
    try:
        page = await context.new_page()
        await buy_seats(page, shop, WORDS["en-US"], see_nothing)
        await see_that_tickets_are_there(page, WORDS["en-US"])
    finally:
        await context.close()


async def test_a_late_payment_is_waited_for_and_another_order_is_cancelled(shop: Shop, chromium: Browser) -> None:
    words = WORDS["pt-BR"]
    context = await chromium.new_context(locale="pt-BR", viewport={"width": 360, "height": 780})
    try:
        page = await context.new_page()
        inspector = Inspector(page)
        await page.goto(f"{shop.address}/?q=harbour")
        await page.locator(".card h2 a").first.click()
        await page.get_by_role("link", name=words["get"]).first.click()
        form = page.url
        for outcome in ("cancel", "late"):
            await page.goto(form)
            await page.locator("select").first.select_option("1")
            await page.locator("#email").fill("rui.lima@example.com")
            await page.get_by_role("button", name=words["reserve"]).click()
            if outcome == "cancel":
                await page.get_by_role("button", name=words["cancel"]).click()
                await expect(page.locator("h1")).to_have_text(words["cancelled"])
                await inspector.look("cancelled")
        await page.locator("input[value=late]").check()
        await page.locator("section .button").click()
        await expect(page.locator("h1")).to_have_text(words["waiting"])
        await expect(page.get_by_role("link", name=words["check"])).to_be_visible()
        await expect(page.locator("h1")).to_have_text(words["ready"], timeout=30_000)
        await inspector.look("tickets")
    finally:
        await context.close()


async def name_without_spaces(pool: Pool, organization_id: UUID) -> None:
    """Give everything the longest name that it may have, in one word."""
    for statement, length in (
        ("UPDATE events SET name = $2, location = $2, description = $2 WHERE organization_id = $1", 200),
        ("UPDATE sessions SET name = $2 WHERE organization_id = $1", 200),
        ("UPDATE ticket_types SET name = $2, description = $2 WHERE organization_id = $1", 100),
        ("UPDATE organizations SET name = $2 WHERE organization_id = $1", 200),
    ):
        await pool.execute(statement, organization_id, "W" * length)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_other_page_is_fit_for_everybody(shop: Shop, chromium: Browser, pool: Pool, scheme: Scheme) -> None:
    """Look at the pages that no smooth visit comes to. Their states are written, since only their looks matter."""
    context = await chromium.new_context(locale="pt-BR", viewport={"width": 360, "height": 780}, color_scheme=scheme)
    try:
        page = await context.new_page()
        inspector = Inspector(page)
        sale = await make_sale(pool, capacity=8)
        await name_without_spaces(pool, sale.made.organization_id)
        placed = await sale.order(8)
        secret = derive_secret(ORDER_KEY, placed.order.order_id)
        paths = [f"/sessions/{sale.made.session_id}", f"/events/{sale.made.event_id}", "/?q=nothing+of+this+name"]
        for path in paths:
            await page.goto(shop.address + path)
            await inspector.look(path)
        for status, heading in HEADINGS.items():
            await pool.execute("UPDATE orders SET status = $2 WHERE order_id = $1", placed.order.order_id, status)
            await page.goto(f"{shop.address}/orders/{placed.order.order_id}/{secret}?notice=payment_open")
            await expect(page.locator("h1")).to_have_text(heading)
            await inspector.look(status)
        await pool.execute("UPDATE sessions SET status = 'cancelled' WHERE session_id = $1", sale.made.session_id)
        for path in paths:
            await page.goto(shop.address + path)
            await inspector.look(f"cancelled {path}")
        assert inspector.looked == 12
    finally:
        await context.close()


async def test_the_keyboard_is_enough(shop: Shop, chromium: Browser) -> None:
    context = await chromium.new_context(locale="en-US")
    try:
        page = await context.new_page()
        await page.goto(shop.address)
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.locator("#q")).to_be_focused()
        outline = await page.locator("#q").evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
    finally:
        await context.close()


async def test_numbers_follow_the_sale(shop: Shop, chromium: Browser, pool: Pool) -> None:
    """What others hold disappears from the page without loading it again, and comes back when they give it back."""
    context = await chromium.new_context(locale="pt-BR")
    try:
        page = await context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        made = await make_seated_session(pool, two_sections())
        await page.goto(f"{shop.address}/sessions/{made.session_id}")
        sides = page.locator(".choice-side")
        await expect(sides).to_have_text(["Restam 30", "Só restam 6", "Restam 24"])
        office = box_office(pool)
        placed = [
            await office.place_reservation(made.session_id, (ItemRequest(made.types["adult"], seats=(f"A-{n}",)),))
            for n in range(1, 7)
        ]
        await expect(sides).to_have_text(["Restam 24", "Esgotado", "Restam 24"], timeout=30_000)
        inputs = page.locator("input[name=place]")
        await expect(inputs.nth(1)).to_be_disabled()
        async with transaction(pool, made.organization_id) as conn:
            ended = placed[0].reservation.reservation_id
            await release_reservation(conn, system.make_id, made.organization_id, ended)
        await expect(sides).to_have_text(["Restam 25", "Só resta 1", "Restam 24"], timeout=30_000)
        await expect(inputs.nth(1)).to_be_enabled()
        await office.close()
        assert faults == []
    finally:
        await context.close()


async def test_a_page_that_was_sold_out_says_when_places_come_back(shop: Shop, chromium: Browser, pool: Pool) -> None:
    context = await chromium.new_context(locale="en-US")
    try:
        page = await context.new_page()
        made = await make_session(pool, capacity=2)
        office = box_office(pool)
        placed = await office.place_reservation(made.session_id, wants(made, 2))
        await page.goto(f"{shop.address}/sessions/{made.session_id}")
        await expect(page.locator("h2").first).to_have_text("Sold out")
        again = page.get_by_text("Places have just come back.")
        await expect(again).to_be_hidden()
        async with transaction(pool, made.organization_id) as conn:
            ended = placed.reservation.reservation_id
            await release_reservation(conn, system.make_id, made.organization_id, ended)
        await expect(again).to_be_visible(timeout=30_000)
        await office.close()
    finally:
        await context.close()


FOLLOW = """async ([path, until]) => {
  const { follow } = await import("/static/stream-1.js");
  const links = [];
  return await new Promise((done) => {
    const stop = follow(path, (state) => {
      if (state.version < until) return;
      stop();
      done({ ...state, seats: [...state.seats], links });
    }, { onLink: (isOpen) => links.push(isOpen) });
  });
}"""


async def test_the_module_ends_at_the_state_of_the_stock(shop: Shop, chromium: Browser, pool: Pool) -> None:
    """While its connection is cut by the server again and again."""
    context = await chromium.new_context()
    try:
        page = await context.new_page()
        made = await make_seated_session(pool, two_sections())
        path = f"/api/v1/sessions/{made.session_id}"
        await page.goto(f"{shop.address}/sessions/{made.session_id}")
        answer = await page.request.get(f"{shop.address}{path}/availability")
        version = (await answer.json())["version"]
        following = asyncio.create_task(page.evaluate(FOLLOW, [f"{path}/stream", version + 5]))
        office = box_office(pool)
        for number in range(1, 6):
            await office.place_reservation(
                made.session_id, (ItemRequest(made.types["adult"], seats=(f"B-{number}", f"B-{number + 10}")),)
            )
            await asyncio.sleep(0.7)
        state = await following
        await office.close()
        links = state.pop("links")
        answer = await page.request.get(f"{shop.address}{path}/availability")
        assert state == state_of(await answer.json())
        assert links[0] is True
    finally:
        await context.close()
