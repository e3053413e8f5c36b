"""``fullhouse privacy``: the operator hands over, and erases, what an organization keeps of a buyer."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder
from harness.stock import SERVER_KEY
from harness.terminal import run_here
from harness.waiting import until
from harness.web import client_of, make_resources, running_app
from harness.worker import drained, running_worker

from fullhouse.infra.mail_port import MailUnavailable
from fullhouse.infra.object_store import ObjectStoreUnavailable
from fullhouse.infra.postgres import Pool
from fullhouse.privacy.erase_buyer import erase_buyer
from fullhouse.tickets.mail_tickets import MailRecords, Mailroom, mail_tickets, open_mailroom
from fullhouse.tickets.render_order_documents import render_order_documents

EMAIL = "ana.souza@example.com"


def files_in(folder: Path, *endings: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in endings]


async def run(folder: Path, settings: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(run_here, folder, ("privacy", *arguments), settings)
    return done.returncode, done.stdout, done.stderr


async def test_the_operator_hands_over_and_erases(
    fresh_pool: Pool, fresh_database: str, valkey: Any, valkey_url: str, tmp_path: Path
) -> None:
    parts = make_resources(fresh_pool, valkey, tmp_path, secret_key=SERVER_KEY, database_url=fresh_database)
    sale = await make_sale(fresh_pool)
    async with running_worker(parts), running_app(parts) as app, client_of(app) as client:
        client.base_url = client.base_url.join("/api/v1")
        order = await Shop(sale, client).order(2)
        await Shop(sale, client).pay(order)
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM mail_deliveries"))
        await drained(fresh_pool)
    organization = str(sale.made.organization_id)
    environment = {
        "FULLHOUSE_DATABASE_URL": fresh_database,
        "FULLHOUSE_VALKEY_URL": valkey_url,
        "FULLHOUSE_SECRET_KEY": SERVER_KEY.decode(),
        "FULLHOUSE_OBJECT_STORE_URL": str(tmp_path / "objects"),
        "FULLHOUSE_MAIL_URL": str(tmp_path / "mailbox"),
        "FULLHOUSE_PUBLIC_URL": "http://tickets.example",
    }
    buyer = ("--organization", organization, "--email", EMAIL.upper())
    code, output, errors = await run(tmp_path, environment, "export", *buyer)
    assert (code, errors) == (0, "")
    exported = json.loads(output)
    assert exported["organization_id"] == organization
    assert [(one["id"], one["email"], one["name"]) for one in exported["orders"]] == [(order["id"], EMAIL, "Ana Souza")]
    code, output, errors = await run(tmp_path, environment, "erase", *buyer)
    assert (code, output) == (2, "")
    assert errors.startswith("fullhouse: ")
    assert errors.count("\n") == 1
    assert await fresh_pool.fetchval("SELECT count(*) FROM order_contacts") == 1
    assert len(files_in(tmp_path, ".pdf", ".eml")) == 2
    assert (await run(tmp_path, environment, "erase", *buyer, "--including-ahead"))[:2] == (
        0,
        "Erased the buyer of 1 order.\n",
    )
    assert files_in(tmp_path, ".pdf", ".eml") == []
    assert await fresh_pool.fetchval("SELECT count(*) FROM order_contacts") == 0
    assert (await run(tmp_path, environment, "erase", *buyer))[:2] == (0, "Erased the buyer of 0 orders.\n")
    nobody = ("--organization", str(uuid4()), "--email", EMAIL)
    assert json.loads((await run(tmp_path, environment, "export", *nobody))[1])["orders"] == []
    acts = await fresh_pool.fetch(
        "SELECT action, actor_kind FROM audit_entries WHERE organization_id = $1 AND action LIKE 'buyer.%'"
        " ORDER BY position",
        sale.made.organization_id,
    )
    assert [tuple(row.values()) for row in acts] == [
        ("buyer.export", "operator"),
        ("buyer.erase", "operator"),
        ("buyer.erase", "operator"),
    ]


class Dying:
    """An object store and mailbox whose user dies once something is in it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await self.inner.put(key, data, content_type)
        raise ObjectStoreUnavailable

    async def send(self, message: Any) -> None:
        await self.inner.send(message)
        raise MailUnavailable

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture
async def sold(pool: Pool, valkey: Any, tmp_path: Path) -> tuple[Mailroom, Mailroom, UUID, UUID]:
    """Sell tickets, and return a good mailroom, a dying one, and the ids of organization and order."""
    from harness.sold import sell  # noqa: PLC0415 (of this fixture alone)

    made = await sell(pool, 2)
    await made.issue()
    parts = make_resources(pool, valkey, tmp_path, secret_key=SERVER_KEY)
    good = open_mailroom(parts)
    object_store: Any = Dying(parts.object_store)
    mailer: Any = Dying(parts.mailer)
    dying = replace(good, object_store=object_store, mailer=mailer)
    return good, dying, made.organization_id, made.order_id


async def test_a_document_whose_renderer_died_does_not_survive_an_erasure(
    pool: Pool, tmp_path: Path, sold: tuple[Mailroom, Mailroom, UUID, UUID]
) -> None:
    good, dying, organization_id, order_id = sold
    with pytest.raises(ObjectStoreUnavailable):
        await render_order_documents(pool, dying.object_store, SERVER_KEY, organization_id, order_id)
    assert len(files_in(tmp_path, ".pdf")) == 1
    assert await erase_buyer(pool, good, organization_id, EMAIL, including_ahead=True) == [order_id]
    assert files_in(tmp_path, ".pdf") == []


async def test_a_mail_whose_sender_died_does_not_survive_an_erasure(
    pool: Pool, tmp_path: Path, sold: tuple[Mailroom, Mailroom, UUID, UUID]
) -> None:
    good, dying, organization_id, order_id = sold
    await render_order_documents(pool, good.object_store, SERVER_KEY, organization_id, order_id)
    with pytest.raises(MailUnavailable):
        await mail_tickets(MailRecords(pool), dying, organization_id, order_id)
    assert len(files_in(tmp_path, ".eml")) == 1
    await erase_buyer(pool, good, organization_id, EMAIL, including_ahead=True)
    assert files_in(tmp_path, ".eml") == []
    assert not await mail_tickets(MailRecords(pool), good, organization_id, order_id)


async def test_the_answer_of_a_buyer_who_was_erased_names_nobody(pool: Pool, valkey: Any, tmp_path: Path) -> None:
    parts = make_resources(pool, valkey, tmp_path, secret_key=SERVER_KEY)
    sale = await make_sale(pool)
    async with running_app(parts) as app, client_of(app) as client:
        client.base_url = httpx.URL("http://tickets.example/api/v1")
        order = await Shop(sale, client).order(1)
        await erase_buyer(pool, open_mailroom(parts), sale.made.organization_id, EMAIL, including_ahead=True)
        shown = await client.get(f"/orders/{order['id']}", headers=holder(order))
    assert (shown.status_code, shown.json()["email"], shown.json()["name"]) == (200, None, None)
