"""Alive, ready, and the depths of queues."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from harness.web import SECRET_KEY, client_of, make_resources, make_seller, running_app
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, open_pool, transaction
from fullhouse.infra.resources import Resources, open_valkey
from fullhouse.infra.telemetry import render_metrics
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.web.edge import Edge
from fullhouse.web.gauges import Gauges

NOWHERE = "unix:///nowhere/valkey.sock"


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def test_all_parts_are_named_and_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "parts": dict.fromkeys(("postgres", "valkey", "object_store", "mailer"), "ok")},
    )


async def test_alive_asks_nobody(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_valkey_the_sale_goes_on(pool: Pool, tmp_path: Path) -> None:
    away = open_valkey(NOWHERE)
    async with running_app(make_resources(pool, away, tmp_path)) as app, client_of(app) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["parts"]["valkey"] == "unreachable"
        seller = await make_seller(pool)
        found = await client.get(f"/api/v1/organizations/{seller.organization_id}", headers=seller.bearer())
        assert found.status_code == 200
    await away.aclose()


async def test_without_postgres_requests_go_elsewhere_and_health_keeps_answering(
    fresh_database: str, valkey: Valkey, tmp_path: Path
) -> None:
    pool = await open_pool(fresh_database, size_max=2)
    seller = await make_seller(pool)
    async with running_app(make_resources(pool, valkey, tmp_path)) as app, client_of(app) as client:
        await pool.close()
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["status"] == "not_ready"
        assert answer.json()["parts"]["postgres"] == "unreachable"
        assert (await client.get("/healthz")).status_code == 200
        refused = await client.get(f"/api/v1/organizations/{seller.organization_id}", headers=seller.bearer())
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert refused.headers["retry-after"] == "1"
        metrics = await client.get("/metrics")
        assert metrics.status_code == 200
        assert metric(metrics.text, "fullhouse_database_up") == 0


async def test_a_process_that_is_about_to_end_says_so(app: Edge, client: httpx.AsyncClient) -> None:
    app.traffic.draining = True
    try:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")
        assert (await client.get("/healthz")).status_code == 200
    finally:
        app.traffic.draining = False


@pytest.fixture
async def queues(fresh_pool: Pool, valkey: Valkey, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    resources: Resources = make_resources(fresh_pool, valkey, tmp_path)
    async with running_app(resources) as app, client_of(app) as opened:
        yield opened


async def test_depths_and_ages_of_queues_are_measured(fresh_pool: Pool, queues: httpx.AsyncClient) -> None:
    async with transaction(fresh_pool, EVERY_ORGANIZATION) as conn:
        for number, (sent, parked) in enumerate([(False, False), (False, False), (True, False), (False, True)]):
            await conn.execute(
                """
                INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, occurred_at,
                                    sent_at, parked_at)
                VALUES ($1, $1, 0, $1, 'thing.happened', 1, '{}', clock_timestamp() - make_interval(secs => $2),
                        CASE WHEN $3 THEN clock_timestamp() END, CASE WHEN $4 THEN clock_timestamp() END)
                """,
                uuid4(),
                100.0 + number,
                sent,
                parked,
            )
        for queue, seconds in (("tickets", 50.0), ("tickets", 10.0), ("mail", 5.0)):
            await conn.execute(
                """
                INSERT INTO broker_messages (queue, organization_id, message_id, key, body, enqueued_at)
                VALUES ($1, $2, $2, $2, '{}', clock_timestamp() - make_interval(secs => $3))
                """,
                queue,
                uuid4(),
                seconds,
            )
        await conn.execute(
            """
            INSERT INTO dead_letters (organization_id, dead_letter_id, queue, message_id, key, body, reason, attempts,
                                      resolved_at)
            SELECT id, id, 'mail', id, id, '{}', 'no', 3, resolved
            FROM (VALUES ($1::uuid, NULL::timestamptz), ($2, clock_timestamp())) AS d(id, resolved)
            """,
            uuid4(),
            uuid4(),
        )
        await conn.execute(
            """
            INSERT INTO reservations (organization_id, reservation_id, session_id, status, token_hash, items,
                                      total_minor, currency, quota_ids, quota_counts, held_at, expires_at,
                                      expires_at_max)
            SELECT $1, r.id, $1, r.status, '', '[]', 0, 'EUR', '{}', '{}', t, t + r.remaining, t
            FROM clock_timestamp() AS t, (VALUES ($2::uuid, 'held', interval '-1 s'), ($3, 'held', interval '1 h'),
                                                 ($4, 'expired', interval '-1 s')) AS r(id, status, remaining)
            """,
            uuid4(),
            uuid4(),
            uuid4(),
            uuid4(),
        )
    text = (await queues.get("/metrics")).text
    assert metric(text, "fullhouse_database_up") == 1
    assert metric(text, 'fullhouse_database_connections{state="idle"}') >= 1
    assert (metric(text, "fullhouse_desks_open"), metric(text, "fullhouse_desks_waiting")) == (0, 0)
    assert metric(text, "fullhouse_outbox_unsent") == 2
    assert metric(text, "fullhouse_outbox_oldest_seconds") > 100
    assert metric(text, "fullhouse_outbox_parked") == 1
    assert metric(text, 'fullhouse_queue_depth{queue="tickets"}') == 2
    assert metric(text, 'fullhouse_queue_depth{queue="mail"}') == 1
    assert metric(text, 'fullhouse_queue_oldest_seconds{queue="tickets"}') > 49
    assert metric(text, "fullhouse_dead_letters_open") == 1
    assert metric(text, "fullhouse_reservations_overdue") == 1


async def test_a_queue_that_is_empty_again_disappears(fresh_pool: Pool) -> None:
    now = system.now()
    clock_time = [now]
    desks = BoxOffice(fresh_pool, system.make_id, SECRET_KEY).desks
    gauges = Gauges(fresh_pool, lambda: clock_time[0], desks)
    async with transaction(fresh_pool, EVERY_ORGANIZATION) as conn:
        await conn.execute(
            "INSERT INTO broker_messages (queue, organization_id, message_id, key, body) SELECT 'q', $1, $1, $1, '{}'",
            uuid4(),
        )
    await gauges.refresh()
    async with transaction(fresh_pool, EVERY_ORGANIZATION) as conn:
        await conn.execute("DELETE FROM broker_messages")
    # Asked again at once, it does not look: a scraper gone wild costs nothing.
    await gauges.refresh()
    assert 'fullhouse_queue_depth{queue="q"} 1.0' in render_metrics().decode()
    clock_time[0] = now + timedelta(seconds=2)
    await gauges.refresh()
    assert 'queue="q"' not in render_metrics().decode()
