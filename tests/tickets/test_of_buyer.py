"""What buyers find again: their orders in all organizations, and links to them by mail."""

from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.mails import read_mail
from harness.members import People
from harness.people import new_email
from harness.sale import make_sale
from harness.shop import Shop, holder
from harness.stock import SERVER_KEY
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.identity.tries import MAIL, Tries
from fullhouse.infra.mail_folder import MailboxFolder
from fullhouse.infra.mail_port import AddressRefused, MailUnavailable
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.infra.system import make_id
from fullhouse.privacy.erase_buyer import erase_buyer
from fullhouse.tickets.issue_tickets import issue_tickets
from fullhouse.tickets.mail_tickets import MailRecords, mail_tickets, open_mailroom
from fullhouse.tickets.of_buyer import mail_links as verb
from fullhouse.tickets.of_buyer.mail_links import mail_links
from fullhouse.tickets.of_buyer.prune_link_requests import prune_link_requests
from fullhouse.web.edge import Edge

LINK = "http://tickets.example/orders/"


@pytest.fixture(scope="module")
async def resources(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder: Path = tmp_path_factory.mktemp("parts")
    return make_resources(pool, valkey, folder, secret_key=SERVER_KEY)


@pytest.fixture(scope="module")
async def app(resources: Resources) -> AsyncIterator[Edge]:
    async with running_app(resources) as running:
        accounts = running.api.state.accounts
        tries = Tries(resources.valkey, resources.clock)
        running.api.state.accounts = replace(accounts, means=replace(accounts.means, tries=tries))
        yield running


@pytest.fixture
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, f"2001:db8:{len(new_email()):x}::7") as opened:
        opened.base_url = opened.base_url.join("/api/v1")
        yield opened


@pytest.fixture
def people(app: Edge, pool: Pool) -> People:
    return People(app, pool)


async def buy(pool: Pool, client: httpx.AsyncClient, email: str, *, paid: bool = True) -> dict[str, Any]:
    """Let an organization of its own sell to an address."""
    shop = Shop(await make_sale(pool), client)
    order = await shop.order(2, email=email)
    if paid:
        assert (await shop.pay(order)).status_code == 201
        await shop.sale.work()
    return order | {"organization_id": str(shop.sale.made.organization_id)}


async def requests_of(pool: Pool, email: str) -> list[UUID]:
    async with connection(pool, NO_ORGANIZATION) as conn:
        rows = await conn.fetch("SELECT request_id FROM link_requests WHERE email = $1 ORDER BY request_id", email)
    return [row["request_id"] for row in rows]


def mail_of(resources: Resources, request_id: UUID) -> EmailMessage | None:
    assert isinstance(resources.mailer, MailboxFolder)
    path = resources.mailer.folder / f"links.{request_id}@tickets.example.eml"
    return read_mail(path) if path.exists() else None


async def test_a_verified_address_sees_its_orders_in_all_organizations(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    person = await people.sign_in()
    orders = [await buy(pool, client, person.email.upper()), await buy(pool, client, person.email, paid=False)]
    await buy(pool, client, new_email("rui"))
    first = (await client.get("/me/orders", headers=person.bearer, params={"limit": 1})).json()
    after = {"limit": 1, "cursor": first["next_cursor"]}
    second = (await client.get("/me/orders", headers=person.bearer, params=after)).json()
    assert second["next_cursor"] is None
    found = [*first["items"], *second["items"]]
    assert [one["id"] for one in found] == [orders[1]["id"], orders[0]["id"]], "the newest first"
    assert [one["organization_id"] for one in found] == [order["organization_id"] for order in reversed(orders)]
    assert [(one["status"], one["ticket_count"], one["total_minor"]) for one in found] == [
        ("pending", 0, 5000),
        ("paid", 0, 5000),
    ]
    opened = await client.get(f"/orders/{found[1]['id']}", headers=holder(found[1]))
    assert (opened.status_code, opened.json()["id"]) == (200, orders[0]["id"])


async def test_an_address_that_nobody_verified_sees_nothing(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    person = await people.sign_in(verified=False)
    await buy(pool, client, person.email)
    refused = await client.get("/me/orders", headers=person.bearer)
    assert (refused.status_code, refused.json()["code"]) == (403, "email_unverified")
    assert "items" not in refused.json()


async def test_erased_orders_are_nobodys(
    client: httpx.AsyncClient, pool: Pool, people: People, resources: Resources
) -> None:
    person = await people.sign_in()
    order, other = await buy(pool, client, person.email), await buy(pool, client, person.email)
    await erase_buyer(
        pool, open_mailroom(resources), UUID(order["organization_id"]), person.email, including_ahead=True
    )
    found = (await client.get("/me/orders", headers=person.bearer)).json()
    assert [one["id"] for one in found["items"]] == [other["id"]]


async def test_links_are_mailed_and_open_orders_without_an_account(
    client: httpx.AsyncClient, pool: Pool, resources: Resources
) -> None:
    email = new_email()
    orders = [await buy(pool, client, email), await buy(pool, client, email, paid=False)]
    headers = {"Accept-Language": "pt-BR"}
    answer = await client.post("/order-links", json={"email": email}, headers=headers)
    assert (answer.status_code, answer.content) == (202, b"null")
    (request_id,) = await requests_of(pool, email)
    assert await mail_links(pool, open_mailroom(resources), request_id)
    mail = mail_of(resources, request_id)
    assert mail is not None
    assert (mail["To"], mail["Content-Language"], mail["Auto-Submitted"]) == (email, "pt-BR", "auto-generated")
    text = mail.get_content()
    links = [line for line in text.splitlines() if line.startswith(LINK)]
    assert [link.removeprefix(LINK).split("/")[0] for link in links] == [orders[1]["id"], orders[0]["id"]]
    for link in links:
        page = await client.get(link)
        assert page.status_code == 200
        wrong = await client.get(link[:-1] + ("A" if link[-1] != "A" else "B"))
        assert wrong.status_code == 404
    assert await requests_of(pool, email) == [], "its address is forgotten"
    assert not await mail_links(pool, open_mailroom(resources), request_id), "once"


async def test_the_link_in_the_mail_with_the_tickets_opens_them_without_an_account(
    client: httpx.AsyncClient, pool: Pool, resources: Resources
) -> None:
    order = await buy(pool, client, new_email())
    organization_id, order_id = UUID(order["organization_id"]), UUID(order["id"])
    async with transaction(pool, organization_id) as conn:
        [ticket, _] = await issue_tickets(conn, make_id, SERVER_KEY, organization_id, order_id)
    assert await mail_tickets(MailRecords(pool), open_mailroom(resources), organization_id, order_id)
    assert isinstance(resources.mailer, MailboxFolder)
    mail = read_mail(resources.mailer.folder / f"tickets.{order_id}@tickets.example.eml")
    body = mail.get_body(("plain",))
    assert body is not None
    [link, receipt] = [line for line in body.get_content().split() if line.startswith(LINK)]
    assert receipt == f"{link}/receipt.pdf"
    page = await client.get(link)
    assert (page.status_code, str(ticket.ticket_id) in page.text) == (200, True)
    assert (await client.get(f"{link}/tickets/{ticket.ticket_id}/qr.svg")).status_code == 200


async def test_known_and_unknown_addresses_hear_the_same_and_cost_the_same(
    client: httpx.AsyncClient, pool: Pool, resources: Resources
) -> None:
    known, unknown = new_email(), new_email()
    await buy(pool, client, known)
    answers = [await client.post("/order-links", json={"email": one}) for one in (known, unknown)]
    first, second = (
        (answer.status_code, answer.content, {name for name in answer.headers if name != "x-request-id"})
        for answer in answers
    )
    assert first == second
    requests = [await requests_of(pool, one) for one in (known, unknown)]
    assert [len(found) for found in requests] == [1, 1], "the request does not look whether there are orders"
    assert not await mail_links(pool, open_mailroom(resources), requests[1][0])
    assert mail_of(resources, requests[1][0]) is None, "nobody is mailed who bought nothing"
    assert await requests_of(pool, unknown) == []


async def test_links_are_asked_for_within_a_budget(client: httpx.AsyncClient, pool: Pool) -> None:
    email = new_email()
    statuses = [
        (await client.post("/order-links", json={"email": email.upper() if number % 2 else email})).status_code
        for number in range(MAIL.free + 1)
    ]
    assert statuses == [202] * MAIL.free + [429]
    assert len(await requests_of(pool, email)) + len(await requests_of(pool, email.upper())) == MAIL.free


async def test_orders_that_came_to_nothing_hide_none(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger may place orders with anybody's address, and let them lapse."""
    monkeypatch.setattr(verb, "ORDERS_MAX", 1)
    email = new_email()
    real = await buy(pool, client, email)
    for _ in range(2):
        lapsed = await buy(pool, client, email, paid=False)
        await pool.execute("UPDATE orders SET status = 'expired' WHERE order_id = $1::uuid", lapsed["id"])
    await client.post("/order-links", json={"email": email})
    (request_id,) = await requests_of(pool, email)
    assert await mail_links(pool, open_mailroom(resources), request_id)
    mail = mail_of(resources, request_id)
    assert mail is not None
    assert [line.split("/")[4] for line in mail.get_content().splitlines() if line.startswith(LINK)] == [real["id"]]


class Dying:
    """A mailbox whose owner dies after the mail is in it."""

    def __init__(self, mailer: Any, error: Exception) -> None:
        self.mailer, self.error = mailer, error

    async def send(self, message: EmailMessage) -> None:
        await self.mailer.send(message)
        raise self.error

    async def forget(self, message_id: str) -> None:
        await self.mailer.forget(message_id)


async def test_erasing_a_buyer_removes_our_copy_of_the_links(
    client: httpx.AsyncClient, pool: Pool, resources: Resources
) -> None:
    email = new_email()
    order = await buy(pool, client, email)
    await client.post("/order-links", json={"email": email})
    (request_id,) = await requests_of(pool, email)
    dying: Any = replace(resources, mailer=Dying(resources.mailer, MailUnavailable()))
    with pytest.raises(MailUnavailable):
        await mail_links(pool, open_mailroom(dying), request_id)
    assert mail_of(resources, request_id) is not None
    shown = (await client.get(f"/orders/{order['id']}", headers=holder(order))).json()
    assert [mail["kind"] for mail in shown["mails"]] == ["links"]
    await erase_buyer(pool, open_mailroom(resources), UUID(order["organization_id"]), email, including_ahead=True)
    assert mail_of(resources, request_id) is None


async def test_what_cannot_be_mailed_is_forgotten(client: httpx.AsyncClient, pool: Pool, resources: Resources) -> None:
    refused, waiting = new_email(), new_email()
    for email in (refused, waiting):
        await buy(pool, client, email)
        await client.post("/order-links", json={"email": email})
    (request_id,) = await requests_of(pool, refused)
    dying: Any = replace(resources, mailer=Dying(resources.mailer, AddressRefused("no such mailbox")))
    assert await mail_links(pool, open_mailroom(dying), request_id)
    assert await requests_of(pool, refused) == []
    (request_id,) = await requests_of(pool, waiting)
    await prune_link_requests(pool)
    assert await requests_of(pool, waiting) == [request_id]
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE link_requests SET created_at = clock_timestamp() - interval '8 days' WHERE request_id = $1",
            request_id,
        )
    assert await prune_link_requests(pool) >= 1
    assert await requests_of(pool, waiting) == []
