"""Receipts over HTTP: for who bought and for the organization, as a list and as PDF."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from harness.charges import VAT, declare
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app
from valkey.asyncio import Valkey

from fullhouse.infra.languages import translator
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.system import make_id, now
from fullhouse.orders.rules import Contact
from fullhouse.pricing.tax_rows import TaxRow
from fullhouse.receipts.describe_receipt import describe_receipt
from fullhouse.receipts.issue_receipt import issue_receipt
from fullhouse.receipts.render_receipt import render_receipt
from fullhouse.receipts.rules import Receipt, ReceiptLine


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


async def test_a_buyer_and_the_organization_fetch_it(pool: Pool, client: httpx.AsyncClient) -> None:
    shop = Shop(await make_sale(pool), client)
    await declare(pool, shop.sale.made.organization_id, taxes=(VAT,))
    order, organization_id = await shop.paid(2), shop.sale.made.organization_id
    path = f"/orders/{order['id']}/receipts"
    assert (await client.get(path, headers=holder(order))).json()["items"] == []
    async with transaction(pool, organization_id) as conn:
        await issue_receipt(conn, make_id, organization_id, UUID(order["id"]))
    [shown] = (await client.get(path, headers=holder(order))).json()["items"]
    assert (shown["kind"], shown["label"], shown["amount_minor"]) == ("receipt", f"{now().year}-000001", 5000)
    assert shown["taxes"] == [{"name": "VAT", "percent": "20", "net_minor": 4167, "tax_minor": 833}]
    listed = await client.get(f"/organizations/{organization_id}/receipts", headers=await shop.member("box_office"))
    assert listed.json() == {"items": [shown], "next_cursor": None}
    pdf = await client.get(f"{path}/{shown['id']}/receipt.pdf", headers=holder(order))
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    assert pdf.headers["content-disposition"] == f'inline; filename="receipt-{shown["label"]}.pdf"'
    assert pdf.content.startswith(b"%PDF-")
    missing = await client.get(f"{path}/{order['id']}/receipt.pdf", headers=holder(order))
    assert (missing.status_code, missing.json()["code"]) == (404, "receipt_not_found")


@pytest.mark.parametrize(
    ("language", "title", "total"), [("en", "Credit note", "¥1,200"), ("pt_BR", "Nota de crédito", "JP¥ 1.200")]
)
def test_a_credit_note_in_words(language: str, title: str, total: str) -> None:
    note = Receipt(
        organization_id=make_id(),
        receipt_id=make_id(),
        kind="credit_note",
        year=2031,
        number=42,
        order_id=make_id(),
        refund_id=make_id(),
        amount_minor=1200,
        currency="JPY",
        issued_at=now(),
        organization="Casa da Ribeira",
        event="Noite de Fado",
        lines=(ReceiptLine(1, "2031-000007", 1200, 1200),),
        taxes=(TaxRow("Consumption tax", 88_750, 1102, 98),),
    )
    printed = describe_receipt(note, Contact("ana.souza@example.com", "Ana Souza"), language)
    assert (printed.title, printed.number, printed.buyer) == (title, "2031-000042", "Ana Souza")
    assert printed.total[1].replace("\xa0", " ") == total
    assert "2031-000007" in printed.lines[0][1]
    percent = "8.875%" if language == "en" else "8,875%"
    assert printed.taxes == (("Consumption tax", percent, *(translator(language).money(n, "JPY") for n in (1102, 98))),)
    assert describe_receipt(note, None, language).buyer == ""
    assert render_receipt(printed) == render_receipt(printed)
    assert render_receipt(printed).startswith(b"%PDF-")
