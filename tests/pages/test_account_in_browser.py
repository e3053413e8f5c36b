"""A person with an account in Chromium: registers, confirms, signs in, sets up a second factor, and finds orders."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from harness.stock import SERVER_KEY
from harness.web import make_resources
from pages.live import Inspector, running_chromium, running_shop
from playwright.async_api import Browser, Page, expect
from valkey.asyncio import Valkey

from fullhouse.events.form.rules import ConsentText, Form, Question
from fullhouse.events.form.set_form import set_form
from fullhouse.identity.second_factor.totp import code_at
from fullhouse.infra.mail_folder import MailboxFolder
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.resources import Resources
from fullhouse.operations.demo_data import make_demo_data

EMAIL = "ana.souza@example.com"
PASSWORD = "a long walk by the sea"
LINK = re.compile(r"http://127\.0\.0\.1:\d+/\S+")


@pytest.fixture
def resources(fresh_pool: Pool, fresh_database: str, valkey: Valkey, tmp_path: Path) -> Resources:
    return make_resources(fresh_pool, valkey, tmp_path, secret_key=SERVER_KEY, database_url=fresh_database)


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with running_chromium() as browser:
        yield browser


def folder_for(name: str) -> Path | None:
    """Return where to leave pictures, for who wants to see the pages: PICTURES_FOLDER names a folder."""
    asked_for = os.environ.get("PICTURES_FOLDER")
    if asked_for is None:
        return None
    folder = Path(asked_for) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mails_in(folder: Path) -> dict[str, EmailMessage]:
    found: dict[str, EmailMessage] = {}
    for path in sorted(folder.glob("*.eml"), key=lambda one: one.stat().st_mtime_ns):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        found[mail["Message-ID"].strip("<").split(".")[0] + " " + mail["Subject"]] = mail
    return found


async def link_in(resources: Resources, mail: str) -> str:
    """Wait for a mail, and return its first link."""
    assert isinstance(resources.mailer, MailboxFolder)
    for _ in range(600):
        found = mails_in(resources.mailer.folder).get(mail)
        if found is not None:
            body = found.get_body(("plain",))
            assert body is not None
            match = LINK.search(body.get_content())
            assert match is not None
            return match[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"no mail: {mail}")


async def fill_and_send(page: Page, button: str, **fields: str) -> None:
    for name, value in fields.items():
        await page.locator(f"main [name={name}]:visible").first.fill(value)
    await page.locator("main").get_by_role("button", name=button, exact=True).first.click()


async def register(page: Page, address: str, resources: Resources, inspector: Inspector) -> None:
    await page.goto(f"{address}/account/orders")
    await expect(page.locator("h1")).to_have_text("Sign in")
    await page.get_by_role("link", name="Register").click()
    await inspector.look("register")
    await fill_and_send(page, "Register", name="Ana Souza", email=EMAIL, password="password")
    await expect(page.get_by_role("alert")).to_contain_text("Please choose another one")
    await inspector.look("register-refused")
    await fill_and_send(page, "Register", password=PASSWORD)
    await expect(page.locator("h1")).to_have_text("Look into your mailbox")
    await inspector.look("registered")
    await page.goto(await link_in(resources, "account Confirm your mail address"))
    await inspector.look("verify")
    await fill_and_send(page, "Confirm", password=PASSWORD)
    await expect(page.locator("h1")).to_have_text("Your address is confirmed")
    await inspector.look("verified")


async def sign_in(page: Page, address: str, inspector: Inspector) -> None:
    await page.goto(f"{address}/account")
    await inspector.look("sign-in")
    await fill_and_send(page, "Sign in", email=EMAIL, password="not the password")
    await expect(page.get_by_role("alert")).to_contain_text("The address or the password is wrong.")
    await inspector.look("sign-in-refused")
    await fill_and_send(page, "Sign in", password=PASSWORD)
    await expect(page.locator("h1")).to_have_text("Your account")
    await inspector.look("account")


async def set_up_second_factor(page: Page, address: str, inspector: Inspector) -> str:
    """Switch the second factor on, and return a recovery code."""
    await page.get_by_role("link", name="Set it up").click()
    await inspector.look("factor-off")
    await fill_and_send(page, "Set it up", password=PASSWORD)
    await expect(page.locator(".qr svg")).to_be_visible()
    await inspector.look("factor-new")
    text = await page.locator(".code").inner_text()
    from base64 import b32decode  # noqa: PLC0415 (of this step alone)

    secret = b32decode(text.replace(" ", ""))
    step = await page.evaluate("Math.floor(Date.now() / 30000)")
    await fill_and_send(page, "Switch it on", code="000000" if code_at(secret, step) != "000000" else "111111")
    await expect(page.get_by_role("alert")).to_contain_text("This code does not work.")
    await inspector.look("factor-refused")
    step = await page.evaluate("Math.floor(Date.now() / 30000)")
    await fill_and_send(page, "Switch it on", code=code_at(secret, step))
    await expect(page.locator("h1")).to_have_text("Recovery codes")
    await inspector.look("recovery-codes")
    code = await page.locator(".codes .code").first.inner_text()
    await page.get_by_role("link", name="I have kept them").click()
    await page.goto(f"{address}/account/second-factor")
    await inspector.look("factor-on")
    return code


async def test_a_person_from_registering_to_their_orders(chromium: Browser, resources: Resources) -> None:
    await make_demo_data(resources)
    pictures, width = folder_for("account"), int(os.environ.get("PICTURES_WIDTH", "390"))
    scheme = "light" if pictures else "dark"
    context = await chromium.new_context(locale="en-US", viewport={"width": width, "height": 844}, color_scheme=scheme)
    try:
        async with running_shop(resources) as address:
            page = await context.new_page()
            inspector = Inspector(page, pictures)
            await register(page, address, resources, inspector)
            await sign_in(page, address, inspector)
            await see_orders(page, address, inspector)
            await page.goto(f"{address}/account")
            code = await set_up_second_factor(page, address, inspector)
            await sign_in_again(page, address, inspector, code)
            await find_orders(page, address, inspector)
            await context.clear_cookies()
            await page.goto(await link_in(resources, "links Your orders"))
            await expect(page.locator("h1")).to_have_text("Pay for your tickets")
            assert inspector.looked == 18
    finally:
        await context.close()


async def see_orders(page: Page, address: str, inspector: Inspector) -> None:
    await page.goto(f"{address}/account/orders")
    await inspector.look("no-orders")
    await buy(page, address)
    await page.goto(f"{address}/account/orders")
    await expect(page.locator(".card")).to_have_count(1)
    await inspector.look("orders")
    await page.locator(".card h2 a").click()
    await expect(page.locator("h1")).to_have_text("Pay for your tickets")


async def sign_in_again(page: Page, address: str, inspector: Inspector, code: str) -> None:
    await page.goto(f"{address}/account")
    await page.get_by_role("button", name="Sign out here").click()
    await page.goto(f"{address}/sign-in")
    await fill_and_send(page, "Sign in", email=EMAIL, password=PASSWORD)
    await expect(page.locator("h1")).to_have_text("Second factor")
    await inspector.look("code")
    await fill_and_send(page, "Sign in", code=code)
    await expect(page.locator("h1")).to_have_text("Your orders")


async def find_orders(page: Page, address: str, inspector: Inspector) -> None:
    await page.goto(f"{address}/account/forgotten")
    await inspector.look("forgotten")
    await page.goto(f"{address}/orders/links")
    await inspector.look("find-orders")
    await fill_and_send(page, "Send me the links", email=EMAIL)
    await expect(page.locator("h1")).to_have_text("Look into your mailbox")


async def buy(page: Page, address: str) -> None:
    await page.goto(address)
    await page.locator(".card h2 a").first.click()
    await page.get_by_role("link", name="Get tickets").first.click()
    await page.locator("select").first.select_option("1")
    await page.locator("#email").fill(EMAIL)
    await page.get_by_role("button", name="Reserve and go on to payment").click()
    await expect(page.locator("h1")).to_have_text("Pay for your tickets")


ASKED = Form(
    holders="required",
    questions=(
        Question("club", "Which club are you with?", required=True),
        Question("meal", "Which meal?", "ticket", choices=("vegan", "fish")),
    ),
    consents=(
        ConsentText("terms", "I have read the rules of the house, and keep to them.", required=True),
        ConsentText("news", "Write to me about the next festival."),
    ),
)


async def test_what_an_event_asks_is_fit_for_everybody(
    chromium: Browser, resources: Resources, fresh_pool: Pool
) -> None:
    demo = await make_demo_data(resources)
    for row in await fresh_pool.fetch("SELECT event_id FROM events"):
        async with transaction(fresh_pool, demo.organization_id) as conn:
            await set_form(conn, demo.organization_id, row["event_id"], ASKED)
    pictures = folder_for("asked")
    context = await chromium.new_context(locale="pt-BR", viewport={"width": 390, "height": 844})
    try:
        async with running_shop(resources) as address:
            page = await context.new_page()
            inspector = Inspector(page, pictures)
            await page.goto(address)
            await page.locator(".card h2 a").first.click()
            await page.get_by_role("link", name="Comprar ingressos").first.click()
            await page.locator("select").first.select_option("2")
            await page.locator("#email").fill(EMAIL)
            await inspector.look("asks")
            send = page.get_by_role("button", name="Reservar e ir para o pagamento")
            await send.click()
            await expect(page.get_by_role("alert")).to_contain_text("Quase pronto")
            await send.click()
            await expect(page.get_by_role("alert")).to_contain_text("Diga para quem é este ingresso.")
            await inspector.look("refused")
            for number, name in enumerate(("Rui Lima", "Eva Lima")):
                await page.locator("[name^=holder-]").nth(number).fill(name)
            await page.locator("#answer-club").fill("Os Aventureiros")
            await page.locator("#consent-terms").check()
            await send.click()
            await expect(page.locator("h1")).to_have_text("Pague seus ingressos")
            assert inspector.looked == 2
    finally:
        await context.close()
