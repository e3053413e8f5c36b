"""Organizers' pages in Chromium, in a hand: a code is made and tickets are given away."""

from dataclasses import replace
from pathlib import Path

import pytest
from harness.members import People
from harness.sale import make_sale
from harness.stock import SERVER_KEY
from harness.web import make_resources, running_app
from pages.live import Inspector, running_chromium, running_shop
from pages.test_account_in_browser import folder_for
from playwright.async_api import Page, expect
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool


async def make_code(page: Page, inspector: Inspector) -> None:
    await page.get_by_role("link", name="Codes").click()
    await page.get_by_label("For").first.select_option(index=1)
    await page.get_by_role("button", name="Choose").click()
    await inspector.look("new code")
    await page.get_by_label("Code", exact=True).fill("five-off")
    await page.get_by_label("Or an amount off").fill("5.00")
    await page.get_by_label("Of what the amount is taken").select_option("order")
    await page.get_by_label("adult").check()
    await page.get_by_label("Until when (UTC)").fill("2031-02-01T10:00")
    await page.get_by_role("button", name="Make the code").click()
    await expect(page.get_by_text("FIVE-OFF")).to_be_visible()
    await inspector.look("codes")


async def give(page: Page, inspector: Inspector) -> None:
    await page.get_by_role("link", name="Your account").first.click()
    await page.get_by_role("link", name="Give tickets").click()
    await page.get_by_role("button", name="Choose").click()
    await inspector.look("gifts")
    await page.get_by_label("adult").fill("2")
    await page.get_by_label("E-mail address of who gets them").fill("ana.souza@example.com")
    await page.get_by_label("Why they are given away").fill("Press")
    await page.get_by_role("button", name="Give the tickets").click()
    await expect(page.get_by_role("status")).to_contain_text("They are given")
    await inspector.look("given")


@pytest.mark.parametrize(("name", "width", "height"), [("hand", 390, 844)])
async def test_a_code_is_made_and_tickets_are_given(
    fresh_pool: Pool, fresh_database: str, valkey: Valkey, tmp_path: Path, name: str, width: int, height: int
) -> None:
    resources = make_resources(fresh_pool, valkey, tmp_path, secret_key=SERVER_KEY, database_url=fresh_database)
    sale = await make_sale(fresh_pool)
    async with running_shop(resources) as address, running_chromium() as browser:
        async with running_app(replace(resources, public_url=address)) as app:
            person = await People(app, fresh_pool).join(sale.made.organization_id, "manager")
        context = await browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
        await context.add_cookies([{"name": "access", "value": person.access_token, "url": address}])
        page = await context.new_page()
        page.set_default_timeout(10_000)
        inspector = Inspector(page, folder_for(f"organizer-{name}"))
        await page.goto(f"{address}/account")
        await inspector.look("account")
        await make_code(page, inspector)
        await give(page, inspector)
        await context.close()
    given = await fresh_pool.fetch("SELECT status, reason FROM orders")
    assert [tuple(row) for row in given] == [("paid", "Press")]
    await sale.office.close()
