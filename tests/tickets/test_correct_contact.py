"""An address that was wrong is corrected, and the tickets are mailed there: once for each request."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder
from harness.stock import SERVER_KEY
from harness.waiting import until
from harness.web import client_of, make_resources, running_app
from harness.worker import running_worker

from fullhouse.core.secrets import derive_key
from fullhouse.infra.mail_feedback import Feedback
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.operations.verify import verify
from fullhouse.orders.rules import hash_email
from fullhouse.orders.writes import delete_persons
from fullhouse.tickets.note_mail_feedback import note_mail_feedback

WRONG, RIGHT = "ana.souza@exmaple.example", "ana.souza@example.example"


@pytest.fixture
async def shop(fresh_pool: Any, fresh_database: str, valkey: Any, tmp_path: Path) -> AsyncIterator[Shop]:
    parts = make_resources(fresh_pool, valkey, tmp_path, secret_key=SERVER_KEY, database_url=fresh_database)
    async with running_worker(parts), running_app(parts) as app, client_of(app) as client:
        client.base_url = client.base_url.join("/api/v1")
        yield Shop(await make_sale(fresh_pool), client)


def mails(folder: Path) -> list[EmailMessage]:
    found = [message_from_bytes(path.read_bytes(), policy=default) for path in (folder / "mailbox").glob("**/*.eml")]
    return sorted(found, key=lambda mail: len(str(mail["Message-ID"])))


async def test_tickets_go_to_the_right_address_after_a_bounce(shop: Shop, tmp_path: Path) -> None:
    order = await shop.order(1, email=WRONG)
    path = f"/orders/{order['id']}"
    box_office = await shop.member("box_office")
    unpaid = await shop.client.put(f"{path}/contact", json={"email": WRONG}, headers=box_office)
    assert (unpaid.status_code, unpaid.json()) == (200, {"email": WRONG, "mails_tickets": False})
    await shop.pay(order)
    await until(lambda: _mailed(shop, 1))
    first = str(mails(tmp_path)[0]["Message-ID"])
    assert await note_mail_feedback(shop.sale.pool, Feedback(first, "bounced", is_permanent=True, reason="no such box"))

    answer = await shop.client.put(f"{path}/contact", json={"email": RIGHT}, headers=box_office)
    assert (answer.status_code, answer.json()) == (200, {"email": RIGHT, "mails_tickets": True})
    await until(lambda: _mailed(shop, 2))

    sent = mails(tmp_path)
    assert [mail["To"].addresses[0].addr_spec for mail in sent] == [WRONG, RIGHT]
    assert first != sent[1]["Message-ID"]
    shown = (await shop.client.get(path, headers=box_office)).json()
    assert (shown["email"], shown["name"]) == (RIGHT, "Ana Souza")
    assert [mail["problem"] and mail["problem"]["reason"] for mail in shown["mails"]] == ["no such box", None]
    # What comes back of the second mail is noted with the second.
    again = Feedback(str(sent[1]["Message-ID"]), "complained", is_permanent=True, reason="abuse")
    assert await note_mail_feedback(shop.sale.pool, again)
    shown = (await shop.client.get(path, headers=box_office)).json()
    assert [mail["problem"]["problem"] for mail in shown["mails"]] == ["bounced", "complained"]
    kept = await shop.sale.pool.fetchval("SELECT email_hash FROM order_emails WHERE order_id = $1", UUID(order["id"]))
    assert kept == hash_email(derive_key(SERVER_KEY, "order"), RIGHT)
    assert await verify(shop.sale.pool) == []


async def test_request_is_refused_where_there_is_nobody_to_write_to_and_to_who_may_not(shop: Shop) -> None:
    order = await shop.order(1, email=WRONG)
    path = f"/orders/{order['id']}/contact"
    manager = await shop.member("manager")
    assert (await shop.client.put(path, json={"email": RIGHT}, headers=holder(order))).status_code == 401
    assert (await shop.client.put(path, json={"email": "nobody"}, headers=manager)).status_code == 422
    scanner = await shop.member("scanner")
    assert (await shop.client.put(path, json={"email": RIGHT}, headers=scanner)).status_code == 403
    assert await _address(shop, order) == WRONG

    async with transaction(shop.sale.pool, EVERY_ORGANIZATION) as conn:
        await delete_persons(conn, shop.sale.made.organization_id, [UUID(order["id"])])
    refused = await shop.client.put(path, json={"email": RIGHT}, headers=manager)
    assert (refused.status_code, refused.json()["code"]) == (409, "buyer_erased")
    assert await _address(shop, order) is None


async def _mailed(shop: Shop, count: int) -> bool:
    sent = "SELECT count(*) FROM mail_deliveries WHERE problem IS DISTINCT FROM 'refused'"
    return await shop.sale.pool.fetchval(sent) == count


async def _address(shop: Shop, order: dict[str, Any]) -> str | None:
    return await shop.sale.pool.fetchval("SELECT email FROM order_contacts WHERE order_id = $1", UUID(order["id"]))
