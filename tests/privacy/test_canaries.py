"""Canaries: a buyer whose address and name are like no other, sent through everything, are found where they belong.

Before they are erased that is the contact, the ticket and the mail; afterwards nowhere.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from harness.sale import make_sale
from harness.shop import Shop, holder
from harness.stock import SERVER_KEY
from harness.waiting import until
from harness.web import client_of, make_resources, running_app
from harness.worker import drained, running_worker

from fullhouse.infra.mail_smtp import SmtpMailer, read_smtp_url
from fullhouse.infra.mailer import open_mailer
from fullhouse.infra.telemetry import configure_logging, render_metrics
from fullhouse.operations.verify import verify
from fullhouse.privacy.erase_buyer import erase_old_buyers, sweep_erased
from fullhouse.tickets.mail_tickets import open_mailroom

EMAIL = "kanarienvogel.q7x@canary-mail.example"
NAME = "Quetzal Kanarienvogel-Zyx"
CANARIES = ("kanarienvogel", "canary-mail")
KNOWN = {"order_contacts", "order_holders", "order_answers"}
"""The tables in which a buyer stands."""


@pytest.fixture
def logs() -> Iterator[StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = StringIO()
    configure_logging("debug", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def shop(
    fresh_pool: Any, fresh_database: str, valkey: Any, tmp_path: Path, logs: StringIO
) -> AsyncIterator[Shop]:
    del logs
    parts = make_resources(fresh_pool, valkey, tmp_path, secret_key=SERVER_KEY, database_url=fresh_database)
    async with running_worker(parts), running_app(parts) as app, client_of(app) as client:
        client.base_url = client.base_url.join("/api/v1")
        opened = Shop(await make_sale(fresh_pool), client)
        client.app_parts = parts  # pyright: ignore[reportAttributeAccessIssue] (for the test alone)
        yield opened


def has_canary(text: str) -> bool:
    return any(canary in text.lower() for canary in CANARIES)


async def tables_with_canaries(pool: Any) -> set[str]:
    names = await pool.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    found: set[str] = set()
    for row in names:
        texts = await pool.fetch(f"SELECT t::text AS row FROM {row['relname']} t")
        if any(has_canary(text["row"]) for text in texts):
            found.add(row["relname"])
    return found


async def has_valkey_canary(valkey: Any) -> bool:
    async for key in valkey.scan_iter():
        dumped = await valkey.dump(key)
        if has_canary(f"{key!r} {dumped!r}"):
            return True
    return False


def files_with_canaries(folder: Path) -> list[str]:
    """Find files that hold a canary, or may hold one that is packed: any PDF."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix == ".pdf" or has_canary(path.read_bytes().decode("latin-1")))
    ]


async def sell_to_canary(shop: Shop, pool: Any) -> dict[str, Any]:
    """Let the buyer do all that leaves traces: good requests, refused ones, repeats, a payment, mails."""
    form = {
        "holders": "required",
        "questions": [{"key": "club", "text": "Which club?"}, {"key": "diet", "text": "A diet?", "scope": "ticket"}],
        "consents": [{"purpose": "newsletter", "text": "Write to me."}],
    }
    path = f"/events/{shop.sale.made.event_id}/form"
    assert (await shop.client.put(path, json=form, headers=await shop.member("manager"))).status_code == 200
    who = {
        "email": EMAIL,
        "name": NAME,
        "holders": [{"name": f"Kanarienvogel {n}", "answers": {"diet": "kanarienvogel seed"}} for n in range(2)],
        "answers": {"club": "Os Kanarienvogel"},
        "consents": [{"purpose": "newsletter", "text_version": "1"}],
    }
    held = await shop.reserve(2)
    headers = {
        "Authorization": f"Reservation {held['token']}",
        "Idempotency-Key": "canary-1",
        "User-Agent": "a browser",
    }
    body = {"reservation_id": held["id"], **who}
    placed = await shop.client.post("/orders", json=body, headers=headers)
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert (await shop.client.post("/orders", json=body, headers=headers)).json() == order
    other = body | {"name": "Another Kanarienvogel"}
    assert (await shop.client.post("/orders", json=other, headers=headers)).status_code == 422
    bad = body | {"email": EMAIL + "@twice", "name": NAME + "\n"}
    assert (await shop.client.post("/orders", json=bad, headers=headers)).status_code == 422
    assert (await shop.client.post(f"/orders/{EMAIL}/cancel", headers=headers)).status_code >= 400
    assert (await shop.pay(order, "decline")).status_code == 201
    await until(lambda: pool.fetchval("SELECT count(*) FROM payments WHERE status = 'declined'"))
    assert (await shop.pay(order)).status_code == 201
    await until(lambda: pool.fetchval("SELECT count(*) FROM mail_deliveries"))
    lines = {"lines": [{"line_number": 1, "quantity": 1}], "reason": "by request"}
    refunded = await shop.client.post(
        f"/orders/{order['id']}/refunds", json=lines, headers=await shop.member("manager")
    )
    assert refunded.status_code == 201, refunded.text
    asked = await shop.client.post("/order-links", json={"email": EMAIL.upper()})
    assert asked.status_code == 202
    await drained(pool)
    assert await pool.fetchval("SELECT count(*) FROM mail_deliveries WHERE kind LIKE 'links:%'") == 1
    return order


async def test_canaries_stand_where_they_belong_and_after_erasing_nowhere(
    shop: Shop, fresh_pool: Any, valkey: Any, logs: StringIO, tmp_path: Path
) -> None:
    order = await sell_to_canary(shop, fresh_pool)
    organization = f"/organizations/{shop.sale.made.organization_id}"
    owner = await shop.member("owner")
    assert await tables_with_canaries(fresh_pool) == KNOWN
    assert not await has_valkey_canary(valkey)
    assert not has_canary(render_metrics().decode())
    assert len(files_with_canaries(tmp_path)) >= 3, "the ticket, its mail, and the one with the links"

    export = await shop.client.post(f"{organization}/buyers/export", json={"email": EMAIL.upper()}, headers=owner)
    (found,) = export.json()["orders"]
    assert (found["email"], found["name"], found["status"]) == (EMAIL, NAME, "paid")
    assert [(one["purpose"], one["text"]) for one in found["consents"]] == [("newsletter", "Write to me.")]
    assert [one["name"] for one in found["holders"]] == ["Kanarienvogel 0", "Kanarienvogel 1"]
    assert [(one["question"], one["line_number"]) for one in found["answers"]] == [
        ("club", None),
        ("diet", 1),
        ("diet", 1),
    ]
    assert [len(found[part]) for part in ("lines", "payments", "refunds", "tickets", "mails")] == [1, 2, 1, 2, 2]
    assert found["documents"][0]["content_type"] == "application/pdf"

    kept = await shop.client.post(f"{organization}/buyers/erase", json={"email": EMAIL}, headers=owner)
    assert (kept.status_code, kept.json()["code"]) == (409, "sessions_ahead")
    assert kept.json()["order_ids"] == [order["id"]]
    assert await tables_with_canaries(fresh_pool) == KNOWN
    body = {"email": EMAIL.upper(), "including_ahead": True}
    erased = await shop.client.post(f"{organization}/buyers/erase", json=body, headers=owner)
    assert erased.json() == {"order_ids": [order["id"]]}

    assert await tables_with_canaries(fresh_pool) == set()
    assert not await has_valkey_canary(valkey)
    assert files_with_canaries(tmp_path) == []
    assert await fresh_pool.fetchval("SELECT count(*) FROM order_consents") == 0
    assert await fresh_pool.fetchval("SELECT count(*) FROM order_emails") == 0
    again = await shop.client.post(f"{organization}/buyers/erase", json=body, headers=owner)
    assert again.json() == {"order_ids": []}

    shown = (await shop.client.get(f"/orders/{order['id']}", headers=holder(order))).json()
    assert (shown["status"], shown["email"], shown["name"], shown["total_minor"]) == ("paid", None, None, 5000)
    tickets = (await shop.client.get(f"/orders/{order['id']}/tickets", headers=holder(order))).json()["items"]
    (ticket,) = [one for one in tickets if one["status"] == "valid"]
    scanned = await shop.client.post("/tickets/validate", json={"code": ticket["code"]}, headers=owner)
    assert scanned.json()["outcome"] == "admitted", "its code holds no name"
    assert await verify(fresh_pool) == []
    assert not has_canary(logs.getvalue())
    assert "audit_log_linked" in logs.getvalue(), "logs were written"


async def test_why_something_was_given_is_handed_over_and_erased(shop: Shop, fresh_pool: Any) -> None:
    gift = {
        "items": [{"ticket_type_id": str(shop.sale.made.types["adult"]), "quantity": 1}],
        "reason": "Press, Ms Kanarienvogel",
        "email": EMAIL,
        "name": NAME,
    }
    organization = f"/organizations/{shop.sale.made.organization_id}"
    owner = await shop.member("owner")
    path = f"/sessions/{shop.sale.made.session_id}/complimentary-orders"
    given = await shop.client.post(path, json=gift, headers=owner | {"Idempotency-Key": "gift-1"})
    assert given.status_code == 201, given.text
    await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM mail_deliveries"))
    export = await shop.client.post(f"{organization}/buyers/export", json={"email": EMAIL}, headers=owner)
    assert [one["reason"] for one in export.json()["orders"]] == [gift["reason"]]
    assert await tables_with_canaries(fresh_pool) >= {"orders", "order_lines"}
    body = {"email": EMAIL, "including_ahead": True}
    erased = await shop.client.post(f"{organization}/buyers/erase", json=body, headers=owner)
    assert erased.json() == {"order_ids": [given.json()["id"]]}
    assert await tables_with_canaries(fresh_pool) == set()
    shown = (await shop.client.get(f"/orders/{given.json()['id']}", headers=holder(given.json()))).json()
    assert (shown["status"], shown["total_minor"], shown["reason"]) == ("paid", 0, "-")
    assert await verify(fresh_pool) == []


async def test_time_erases_buyers_and_late_documents_are_swept(
    shop: Shop, fresh_pool: Any, tmp_path: Path, logs: StringIO
) -> None:
    order = await sell_to_canary(shop, fresh_pool)
    mailroom = open_mailroom(shop.client.app_parts)  # pyright: ignore[reportAttributeAccessIssue]
    assert await erase_old_buyers(fresh_pool, mailroom, 30) == 0
    await fresh_pool.execute(
        "UPDATE sessions SET starts_at = clock_timestamp() - interval '32 days', ends_at = NULL, sales_until = NULL"
    )
    assert await erase_old_buyers(fresh_pool, mailroom, 0) == 0, "0 is never"
    assert await erase_old_buyers(fresh_pool, mailroom, 30) == 1
    assert await tables_with_canaries(fresh_pool) == set()
    late = f"{shop.sale.made.organization_id}/orders/{order['id']}/tickets-late.pdf"
    await mailroom.object_store.put(late, b"rendered while the rows went", "application/pdf")
    await fresh_pool.execute(
        "INSERT INTO ticket_documents (organization_id, order_id, object_key, content_type, size_bytes)"
        " VALUES ($1, $2, $3, 'application/pdf', 28)",
        shop.sale.made.organization_id,
        UUID(order["id"]),
        late,
    )
    assert await sweep_erased(fresh_pool, mailroom) == 0, "its writer may still be at it"
    assert await sweep_erased(fresh_pool, mailroom, after_seconds=0) == 1
    assert await sweep_erased(fresh_pool, mailroom, after_seconds=0) == 0
    assert files_with_canaries(tmp_path) == []
    assert not has_canary(logs.getvalue())


async def test_a_server_that_repeats_the_address_tells_nobody_of_it(unused_tcp_port: int) -> None:
    import asyncio  # noqa: PLC0415 (for the server of this test)
    from email.message import EmailMessage  # noqa: PLC0415

    from fullhouse.infra.mail_port import MailRefused  # noqa: PLC0415

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        while line := await reader.readline():
            refused = line.upper().startswith(b"RCPT")
            answer = f"550 no mailbox <{EMAIL}> here".encode() if refused else b"250 ok"
            writer.write(answer + b"\r\n")
            if line.upper().startswith(b"QUIT"):
                break
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", unused_tcp_port)
    try:
        mailer = SmtpMailer(read_smtp_url(f"smtp://127.0.0.1:{unused_tcp_port}?starttls=never"), "t@example.org")
        message = EmailMessage()
        message["Message-ID"], message["To"] = "<1@example.org>", EMAIL
        with pytest.raises(MailRefused) as refusal:
            await mailer.send(message)
    finally:
        server.close()
        await server.wait_closed()
    assert "no mailbox" in str(refusal.value)
    assert not has_canary(str(refusal.value))


async def test_a_mailbox_forgets_one_mail_and_keeps_the_others(tmp_path: Path) -> None:
    from email.message import EmailMessage  # noqa: PLC0415

    mailer = open_mailer(str(tmp_path), "Box office <t@example.org>")
    for number in range(2):
        message = EmailMessage()
        message["Message-ID"], message["To"] = f"<{number}@example.org>", EMAIL
        await mailer.send(message)
    await mailer.forget("<0@example.org>")
    await mailer.forget("<0@example.org>")
    assert files_with_canaries(tmp_path) == [str(tmp_path / "1@example.org.eml")]
