"""The routes of orders and tickets: to the holder and the organization everything, to others nothing."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pypdfium2
import pytest
import zxingcpp
from harness.sold import Sell, Sold, sell_seats
from harness.stock import SERVER_KEY, rectangle
from harness.web import client_of, make_resources, running_app
from PIL import Image
from valkey.asyncio import Valkey

from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.resources import Resources
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role
from fullhouse.tickets.code import code_of

PATHS = ("/orders/{order}", "/orders/{order}/tickets", "/orders/{order}/ticket", "/orders/{order}/tickets.pdf")
TICKET_PATHS = (
    "/tickets/{ticket}",
    "/tickets/{ticket}/qr.png",
    "/tickets/{ticket}/qr.svg",
    "/tickets/{ticket}/ticket.pdf",
)


@pytest.fixture
async def resources(pool: Pool, valkey: Valkey, tmp_path: Path) -> Resources:
    return make_resources(pool, valkey, tmp_path, secret_key=SERVER_KEY)


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app(resources) as app, client_of(app) as opened:
        opened.base_url = opened.base_url.join("/api/v1")
        yield opened


def holder(sold: Sold) -> dict[str, str]:
    return {"Authorization": f"Order {derive_secret(derive_key(SERVER_KEY, 'order'), sold.order_id)}"}


async def member(pool: Pool, sold: Sold, role: str) -> dict[str, str]:
    async with transaction(pool, sold.organization_id) as conn:
        _, key = await issue_api_key(
            conn, system.make_id, system.randomness, sold.organization_id, NewApiKey(name=role, role=Role(role))
        )
    return {"Authorization": f"Bearer {key}"}


async def test_an_order_shows_its_tickets_as_soon_as_they_exist(client: httpx.AsyncClient, sell: Sell) -> None:
    sold = await sell(2)
    before = (await client.get(f"/orders/{sold.order_id}", headers=holder(sold))).json()
    assert (before["status"], before["tickets"]) == ("paid", [])
    issued = await sold.issue()
    after = (await client.get(f"/orders/{sold.order_id}", headers=holder(sold))).json()
    assert {key: after[key] for key in after if key != "tickets"} == {k: before[k] for k in before if k != "tickets"}
    assert (after["email"], after["total_minor"], after["currency"]) == ("ana.souza@example.com", 5000, "EUR")
    assert {ticket["id"] for ticket in after["tickets"]} == {str(ticket.ticket_id) for ticket in issued}
    assert {ticket["code"] for ticket in after["tickets"]} == {code_of(SERVER_KEY, ticket) for ticket in issued}
    first = after["tickets"][0]
    assert {k: first[k] for k in ("status", "generation", "ticket_type", "holder", "price_minor", "seat", "area")} == {
        "status": "valid",
        "generation": 1,
        "ticket_type": "adult",
        "holder": "Ana Souza",
        "price_minor": 2500,
        "seat": None,
        "area": None,
    }
    for path in ("tickets", "ticket"):
        listed = (await client.get(f"/orders/{sold.order_id}/{path}", headers=holder(sold))).json()
        assert listed == {"items": after["tickets"], "next_cursor": None}
    shown = (await client.get(f"/tickets/{first['id']}", headers=holder(sold))).json()
    assert shown == first


async def test_pictures_and_pages_are_read_back(client: httpx.AsyncClient, sell: Sell) -> None:
    sold = await sell(2)
    await sold.issue()
    tickets = (await client.get(f"/orders/{sold.order_id}/tickets", headers=holder(sold))).json()["items"]
    for ticket in tickets:
        png = await client.get(f"/tickets/{ticket['id']}/qr.png", headers=holder(sold))
        assert (png.status_code, png.headers["content-type"]) == (200, "image/png")
        assert png.headers["cache-control"] == "private, no-store"
        [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(png.content)))
        assert found.text == ticket["code"]
        svg = await client.get(f"/tickets/{ticket['id']}/qr.svg", headers=holder(sold))
        assert svg.headers["content-type"] == "image/svg+xml"
        assert svg.text.startswith("<svg")
        pdf = await client.get(f"/tickets/{ticket['id']}/ticket.pdf", headers=holder(sold))
        assert pdf.headers["content-type"] == "application/pdf"
        assert f'filename="ticket-{ticket["reference"]}.pdf"' in pdf.headers["content-disposition"]
        [page] = pypdfium2.PdfDocument(pdf.content)
        [found] = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
        assert found.text == ticket["code"]
    whole = await client.get(f"/orders/{sold.order_id}/tickets.pdf", headers=holder(sold))
    codes = [
        zxingcpp.read_barcodes(page.render(scale=2).to_pil())[0].text for page in pypdfium2.PdfDocument(whole.content)
    ]
    assert codes == [ticket["code"] for ticket in tickets]


async def test_the_object_store_may_hand_out_the_file_itself(resources: Resources, sell: Sell) -> None:
    sold = await sell(1)
    await sold.issue()
    key = holder(sold)

    class Linking:
        """A store that has links, as S3 does."""

        def __getattr__(self, name: str) -> Any:
            return getattr(resources.object_store, name)

        async def link(self, key: str, seconds: int) -> str:
            return f"https://objects.example/{key}?for={seconds}"

    for store, status in ((resources.object_store, 200), (Linking(), 307)):
        async with running_app(replace(resources, object_store=store)) as app, client_of(app) as client:
            path = f"/api/v1/orders/{sold.order_id}/tickets.pdf"
            assert (await client.get(path, headers=key)).status_code == 200
            answer = await client.get(path, params={"redirect": "true"}, headers=key)
            assert (answer.status_code, answer.headers["cache-control"]) == (status, "private, no-store")
            assert (await client.get(path, params={"redirect": "true"})).status_code == 401
    assert answer.headers["location"].startswith(f"https://objects.example/{sold.organization_id}/orders/")
    assert answer.headers["location"].endswith(".pdf?for=300")


async def test_a_seat_is_named_with_its_section(pool: Pool, client: httpx.AsyncClient) -> None:
    sold = await sell_seats(pool, rectangle(3, 4), ("2-3",))
    await sold.issue()
    [ticket] = (await client.get(f"/orders/{sold.order_id}/tickets", headers=holder(sold))).json()["items"]
    assert (ticket["section"], ticket["seat"]) == ("Stalls", {"key": "2-3", "label": "Row 2, 3"})
    pdf = await client.get(f"/tickets/{ticket['id']}/ticket.pdf", headers=holder(sold))
    text = pypdfium2.PdfDocument(pdf.content)[0].get_textpage().get_text_range()
    for said in ("SECTION", "Stalls", "SEAT", "Row 2, 3"):
        assert said in text


async def test_who_may_see_it(pool: Pool, client: httpx.AsyncClient, sell: Sell) -> None:
    sold, other = await sell(1), await sell(1)
    [ticket] = await sold.issue()
    await other.issue()
    paths = [path.format(order=sold.order_id, ticket=ticket.ticket_id) for path in PATHS + TICKET_PATHS]
    expected = [
        (holder(sold), 200),
        (await member(pool, sold, "box_office"), 200),
        (await member(pool, sold, "scanner"), 403),
        (holder(other), 404),
        (await member(pool, other, "owner"), 404),
        ({"Authorization": "Order nothing-like-a-secret"}, 404),
        ({"Authorization": "Bearer fh_unknown"}, 401),
        ({}, 401),
    ]
    for headers, status in expected:
        for path in paths:
            answer = await client.get(path, headers=headers)
            assert answer.status_code == status, (path, headers)
            if status != 200:
                assert answer.headers["content-type"] == "application/problem+json"
                assert "FH1" not in answer.text


async def test_what_is_not_there(client: httpx.AsyncClient, sell: Sell) -> None:
    sold = await sell(1)
    nothing = uuid4()
    for path in PATHS + TICKET_PATHS:
        for known in (nothing, sold.order_id if "{ticket}" in path else nothing):
            answer = await client.get(path.format(order=nothing, ticket=known), headers=holder(sold))
            assert answer.status_code == 404
    answer = await client.get(f"/orders/{sold.order_id}/tickets.pdf", headers=holder(sold))
    assert (answer.status_code, answer.json()["code"]) == (404, "no_valid_tickets")
    assert (await client.get("/tickets/not-an-id", headers=holder(sold))).status_code == 404


async def test_a_void_ticket_has_no_code_and_no_picture(client: httpx.AsyncClient, sell: Sell) -> None:
    sold = await sell(2)
    gone, kept = await sold.issue()
    await sold.refund(gone.unit_id)
    shown = (await client.get(f"/tickets/{gone.ticket_id}", headers=holder(sold))).json()
    assert (shown["status"], shown["code"]) == ("void", None)
    assert shown["ended_at"] is not None
    for picture in ("qr.png", "qr.svg", "ticket.pdf"):
        answer = await client.get(f"/tickets/{gone.ticket_id}/{picture}", headers=holder(sold))
        assert (answer.status_code, answer.json()["code"]) == (409, "ticket_not_valid")
        assert answer.json()["ticket_status"] == "void"
    listed = (await client.get(f"/orders/{sold.order_id}/tickets", headers=holder(sold))).json()["items"]
    assert {ticket["id"]: ticket["code"] is None for ticket in listed} == {
        str(gone.ticket_id): True,
        str(kept.ticket_id): False,
    }
