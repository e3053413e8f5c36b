"""The routes: endpoints, secrets, test sends, the log and replays, as an organization uses them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.receivers import NO_CONTENT, Receiver, answer_of
from harness.web import client_of, make_resources, make_seller, running_app
from harness.webhooks import Webhooks, make_webhooks
from valkey.asyncio import Valkey

from fullhouse.infra.outgoing import Outside
from fullhouse.infra.postgres import Pool
from fullhouse.webhooks.rules import ENDPOINTS_MAX, MESSAGE_TYPES
from fullhouse.webhooks.signature import sign

BODY = {"url": "https://hooks.example.org/in", "types": ["order.paid", "ticket.issued"], "description": "CRM"}


@pytest.fixture
async def webhooks(module_pool: Pool, outside: Outside) -> Webhooks:
    return await make_webhooks(module_pool, outside)


@pytest.fixture
async def client(webhooks: Webhooks, valkey: Valkey, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    resources = make_resources(webhooks.pool, valkey, tmp_path)
    async with running_app(resources, webhook_allow_private=True) as app, client_of(app) as opened:
        opened.headers.update(webhooks.seller.bearer())
        yield opened


@pytest.fixture
async def strict_client(webhooks: Webhooks, valkey: Valkey, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app(make_resources(webhooks.pool, valkey, tmp_path)) as app, client_of(app) as opened:
        opened.headers.update(webhooks.seller.bearer())
        yield opened


def base(webhooks: Webhooks) -> str:
    return f"/api/v1/organizations/{webhooks.seller.organization_id}/webhook-endpoints"


async def make(client: httpx.AsyncClient, webhooks: Webhooks, **changes: Any) -> dict[str, Any]:
    answer = await client.post(base(webhooks), json={**BODY, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_an_endpoint_is_made_shown_listed_changed_and_deleted(
    client: httpx.AsyncClient, webhooks: Webhooks
) -> None:
    made = await make(client, webhooks, types=["order.paid", "order.paid", "ticket.issued"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    path = f"{base(webhooks)}/{made['id']}"
    assert made == {
        **BODY,
        "id": made["id"],
        "status": "enabled",
        "disabled_reason": None,
        "disabled_at": None,
        "previous_secret_until": None,
        "failure_count": 0,
        "last_delivered_at": None,
        "created_at": made["created_at"],
    }
    assert (await client.get(path)).json() == made
    assert (await client.get(base(webhooks))).json() == {"items": [made], "next_cursor": None}
    changed = await client.patch(path, json={"types": ["order.refunded"], "url": "https://other.example.org/"})
    assert changed.json() == {**made, "types": ["order.refunded"], "url": "https://other.example.org/"}
    assert (await client.delete(path)).status_code == 204
    for gone in (await client.get(path), await client.delete(path), await client.patch(path, json={})):
        assert (gone.status_code, gone.json()["code"]) == (404, "webhook_endpoint_not_found")


async def test_no_table_holds_a_secret(client: httpx.AsyncClient, webhooks: Webhooks) -> None:
    made = await make(client, webhooks)
    rotated = await client.post(f"{base(webhooks)}/{made['id']}/rotate-secret", json={})
    for secret in (made["secret"], rotated.json()["secret"]):
        for table in ("webhook_endpoints", "webhook_deliveries", "outbox", "idempotency_keys"):
            rows = await webhooks.pool.fetch(f"SELECT * FROM {table}")
            assert secret.removeprefix("whsec_") not in str([dict(row) for row in rows])


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"url": "http://hooks.example.org/"}, "url", "webhook_url_refused"),
        ({"url": "https://169.254.169.254/"}, "url", "webhook_url_refused"),
        ({"url": "https://localhost/"}, "url", "webhook_url_refused"),
        ({"url": "https://hooks.example.org:22/"}, "url", "webhook_url_refused"),
        ({"url": ""}, "url", "invalid"),
        ({"url": "https://hooks.example.org/" + "a" * 2000}, "url", "invalid"),
        ({"types": []}, "types", "invalid"),
        ({"types": ["payment.notice_received"]}, "types.0", "invalid"),
        ({"types": ["order.*"]}, "types.0", "invalid"),
        ({"description": "two\nlines"}, "description", "invalid"),
        ({"secret": "whsec_x"}, "secret", "invalid"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_made(
    strict_client: httpx.AsyncClient, webhooks: Webhooks, changes: dict[str, Any], field: str, code: str
) -> None:
    answer = await strict_client.post(base(webhooks), json={**BODY, **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await strict_client.get(base(webhooks))).json()["items"] == []
    made = await make(strict_client, webhooks)
    if field != "secret":
        answer = await strict_client.patch(f"{base(webhooks)}/{made['id']}", json=changes)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        del made["secret"]
        assert (await strict_client.get(f"{base(webhooks)}/{made['id']}")).json() == made


@pytest.mark.parametrize(("role", "status"), [("owner", 201), ("manager", 201), ("box_office", 403), ("scanner", 403)])
async def test_owners_and_managers_alone_may(
    client: httpx.AsyncClient, webhooks: Webhooks, role: str, status: int
) -> None:
    made = await make(client, webhooks)
    path = f"{base(webhooks)}/{made['id']}"
    theirs = webhooks.seller.bearer(role)
    assert (await client.post(base(webhooks), json=BODY, headers=theirs)).status_code == status
    reads = [base(webhooks), path, f"{path}/deliveries", f"{path}/deliveries/{uuid4()}"]
    refused = [await client.get(one, headers=theirs) for one in reads]
    refused += [await client.post(f"{path}/{one}", json={}, headers=theirs) for one in ("test", "rotate-secret")]
    assert all((answer.status_code == 403) == (status == 403) for answer in refused)
    assert (await client.get(base(webhooks), headers={"Authorization": ""})).status_code == 401


async def test_another_organization_finds_nothing(client: httpx.AsyncClient, webhooks: Webhooks) -> None:
    made = await make(client, webhooks)
    stranger = await make_seller(webhooks.pool, "Kulturhaus Nord")
    theirs = stranger.bearer()
    own = f"/api/v1/organizations/{stranger.organization_id}/webhook-endpoints/{made['id']}"
    for path in (f"{base(webhooks)}/{made['id']}", own):
        answers = [
            await client.get(path, headers=theirs),
            await client.patch(path, headers=theirs, json={"status": "disabled"}),
            await client.delete(path, headers=theirs),
            await client.post(f"{path}/rotate-secret", headers=theirs, json={}),
            await client.post(f"{path}/test", headers=theirs),
            await client.post(f"{path}/replay", headers=theirs, json={"since": "2026-01-01T00:00:00Z"}),
            await client.get(f"{path}/deliveries", headers=theirs),
            await client.get(f"{path}/deliveries/{uuid4()}", headers=theirs),
            await client.post(f"{path}/deliveries/{uuid4()}/replay", headers=theirs),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers)
    after = (await client.get(f"{base(webhooks)}/{made['id']}")).json()
    assert (after["status"], after["previous_secret_until"]) == ("enabled", None)


async def test_a_test_send_is_signed_with_the_secret_that_was_shown(
    client: httpx.AsyncClient, webhooks: Webhooks, receiver: Receiver
) -> None:
    made = await make(client, webhooks, url=receiver.url())
    path = f"{base(webhooks)}/{made['id']}"
    begun = await client.post(f"{path}/test")
    assert begun.status_code == 202
    assert (begun.json()["status"], begun.json()["is_test"], begun.json()["type"]) == (
        "pending",
        True,
        "webhook.tested",
    )
    assert receiver.received == [], "the API connects to nobody"
    receiver.answers = [answer_of(500, b"cannot")]
    await webhooks.sender().send_due()
    (request,) = receiver.received
    expected = sign(
        made["secret"], request.headers["webhook-id"], int(request.headers["webhook-timestamp"]), request.body
    )
    assert request.headers["webhook-signature"] == expected
    shown = (await client.get(f"{path}/deliveries/{begun.json()['id']}")).json()
    assert (shown["status"], shown["attempts"], shown["due_at"]) == ("failed", 1, None)
    assert (shown["last_status_code"], shown["last_trouble"]) == (500, None)
    assert shown["body"] == request.body.decode()
    (attempt,) = shown["log"]
    assert (attempt["status_code"], attempt["trouble"], attempt["excerpt"]) == (500, None, "cannot")
    assert 0 <= attempt["duration_seconds"] < 10
    assert (await client.get(path)).json()["failure_count"] == 0


async def test_the_log_is_paged_and_told_apart_by_status(
    client: httpx.AsyncClient, webhooks: Webhooks, receiver: Receiver
) -> None:
    made = await make(client, webhooks, url=receiver.url())
    path = f"{base(webhooks)}/{made['id']}/deliveries"
    ids = await webhooks.announce(count=4)
    receiver.answers = [NO_CONTENT, answer_of(500)]
    await webhooks.sender(in_flight_max=1).send_due()
    found: dict[str, str] = {}
    cursor = None
    for _ in range(5):
        page = (await client.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        found |= {item["id"]: item["message_id"] for item in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # The newest first, to the millisecond in which each got its id.
    assert list(found) == sorted(found, reverse=True)
    assert sorted(found.values()) == sorted(ids)
    delivered = (await client.get(path, params={"status": "delivered"})).json()["items"]
    assert [item["message_id"] for item in delivered] == ids[:1]
    assert len((await client.get(path, params={"status": "pending"})).json()["items"]) == 3
    assert (await client.get(path, params={"status": "lost"})).status_code == 422


async def test_one_delivery_is_replayed_with_its_id(
    client: httpx.AsyncClient, webhooks: Webhooks, receiver: Receiver
) -> None:
    made = await make(client, webhooks, url=receiver.url())
    path = f"{base(webhooks)}/{made['id']}/deliveries"
    (message_id,) = await webhooks.announce()
    await webhooks.sender().send_due()
    (delivery,) = (await client.get(path)).json()["items"]
    replayed = await client.post(f"{path}/{delivery['id']}/replay")
    assert (replayed.status_code, replayed.json()["status"], replayed.json()["attempts"]) == (202, "pending", 0)
    await webhooks.sender().send_due()
    assert receiver.ids() == [message_id] * 2
    assert len((await client.get(f"{path}/{delivery['id']}")).json()["log"]) == 2
    missing = await client.post(f"{path}/{uuid4()}/replay")
    assert (missing.status_code, missing.json()["code"]) == (404, "webhook_delivery_not_found")


async def test_what_failed_since_an_instant_is_replayed_when_the_endpoint_is_enabled_again(
    client: httpx.AsyncClient, webhooks: Webhooks, receiver: Receiver
) -> None:
    made = await make(client, webhooks, url=receiver.url())
    path = f"{base(webhooks)}/{made['id']}"
    before, waiting = await webhooks.announce(count=2)
    await webhooks.pool.execute(
        "UPDATE webhook_deliveries SET created_at = created_at - interval '2 hours' WHERE message_id = $1", UUID(before)
    )
    disabled = (await client.patch(path, json={"status": "disabled"})).json()
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "by_request")
    (missed,) = await webhooks.announce()
    assert await webhooks.statuses() == [("failed", 0)] * 3
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    delivery = (await client.get(f"{path}/deliveries")).json()["items"][0]
    for refused in (
        await client.post(f"{path}/replay", json={"since": since}),
        await client.post(f"{path}/deliveries/{delivery['id']}/replay"),
        await client.post(f"{path}/test"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_endpoint_disabled")
        assert refused.json()["disabled_reason"] == "by_request"
    enabled = (await client.patch(path, json={"status": "enabled"})).json()
    assert (enabled["status"], enabled["disabled_reason"], enabled["disabled_at"]) == ("enabled", None, None)
    assert await webhooks.sender().send_due() == 0, "what failed is not sent unasked"
    answer = await client.post(f"{path}/replay", json={"since": since})
    assert (answer.status_code, answer.json()) == (202, {"count": 2, "more": False})
    await webhooks.sender().send_due()
    assert sorted(receiver.ids()) == sorted([waiting, missed])
    assert await webhooks.statuses() == [("failed", 0), ("delivered", 1), ("delivered", 1)]


async def test_deleting_an_endpoint_with_what_is_on_its_way_ends_both(
    client: httpx.AsyncClient, webhooks: Webhooks, receiver: Receiver
) -> None:
    made = await make(client, webhooks, url=receiver.url())
    await webhooks.announce(count=2)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_request: object, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go_on.wait()
        writer.write(NO_CONTENT)
        await writer.drain()

    receiver.answers = [wait]
    sending = asyncio.create_task(webhooks.sender(in_flight_max=1).send_due())
    await arrived.wait()
    assert (await client.delete(f"{base(webhooks)}/{made['id']}")).status_code == 204
    go_on.set()
    assert await sending == 1
    assert await webhooks.statuses() == []
    assert await webhooks.announce() != []
    assert await webhooks.statuses() == []


async def test_the_limit_of_endpoints_holds_when_many_are_made_at_once(
    client: httpx.AsyncClient, webhooks: Webhooks
) -> None:
    for _ in range(ENDPOINTS_MAX - 2):
        await make(client, webhooks)
    answers = await asyncio.gather(*(client.post(base(webhooks), json=BODY) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["endpoints_max"]) == ("too_many_webhook_endpoints", ENDPOINTS_MAX)
    assert len((await client.get(base(webhooks))).json()["items"]) == ENDPOINTS_MAX
    (message_id,) = await webhooks.announce()
    assert (
        await webhooks.pool.fetchval("SELECT count(*) FROM webhook_deliveries WHERE message_id = $1", UUID(message_id))
        == ENDPOINTS_MAX
    )


async def test_the_document_lists_the_types(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    types = schemas["NewEndpointBody"]["properties"]["types"]
    assert set(types["items"]["enum"]) == MESSAGE_TYPES
    assert types["maxItems"] == len(MESSAGE_TYPES)
