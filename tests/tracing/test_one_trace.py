"""One trace from the request that paid to the mail; and nothing of it where traces are off."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.collector import Collector, running_collector
from harness.messages import message
from harness.processes import clean_environment
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app
from harness.waiting import until
from harness.web import SECRET_KEY, client_of, running_app
from harness.worker import drained, resources_on, running_worker

from fullhouse.infra import system, tracing
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.postgres import transaction
from fullhouse.webhooks.create_endpoint import create_endpoint
from fullhouse.webhooks.enqueue_deliveries import write_body
from fullhouse.webhooks.rules import EndpointFields

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


WAITS_FOR_A_LOCK = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
    """


def context_of(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def trace_of(traceparent: str) -> str:
    return traceparent.split("-")[1]


def span_of(traceparent: str) -> str:
    return traceparent.split("-")[2]


def is_kept(traceparent: str) -> bool:
    return bool(int(traceparent.rpartition("-")[2], 16) & 1)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


async def pay_and_wait(pool: Any, valkey: Any, database_url: str, folder: Path, **headers: str) -> dict[str, Any]:
    """Buy over HTTP, and let a worker go on until the mail is sent.

    It begins after the payment, since its schedule might else tell of that before the request does.
    """
    sale = await make_sale(pool)
    async with open_app(pool, valkey, folder) as client:
        order = await Shop(sale, client).order(2)
        answer = await client.post(
            f"/orders/{order['id']}/payments",
            json={"provider": "simulated", "outcome": "succeed"},
            headers=holder(order) | headers,
        )
        assert answer.status_code == 201
        async with running_worker(resources_on(pool, valkey, database_url, folder)):
            await until(lambda: pool.fetchval("SELECT count(*) FROM mail_deliveries"))
            await drained(pool)
    return order


async def test_request_outbox_broker_worker_and_mail_are_one_trace(
    fresh_pool: Any, fresh_database: str, valkey: Any, tmp_path: Path, collector: Collector
) -> None:
    with tracing.traces_to(collector.url, "fullhouse-test"):
        order = await pay_and_wait(fresh_pool, valkey, fresh_database, tmp_path, traceparent=SENT)

    mail = collector.named("send mail")
    assert len(mail) == 1
    assert collector.path_of(mail[0]) == [
        "POST /api/v1/orders/{order_id}/payments",
        "publish payment.notice_received",
        "process payments.settle",
        "publish order.paid",
        "process tickets.issue",
        "publish ticket.issued",
        "process tickets.deliver",
        "send mail",
    ]
    trace = [span for span in collector.spans if span.trace == mail[0].trace]
    assert mail[0].trace == SENT.split("-")[1]
    request = next(span for span in trace if span.name.startswith("POST"))
    assert request.parent == SENT.split("-")[2]
    assert request.attributes == {"http.response.status_code": 201, "http.route": "/api/v1/orders/{order_id}/payments"}
    assert not any(span.failed for span in trace)
    # Another request is another trace, and no secret of the buyer is in any of them.
    assert {span.trace for span in collector.named("POST /api/v1/orders")}.isdisjoint({mail[0].trace})
    assert not any(text in str(collector.spans) for text in (order["secret"], "ana.souza", "Souza"))
    assert (
        await fresh_pool.fetchval(
            "SELECT count(*) FROM outbox WHERE traceparent LIKE '00-' || $1 || '-%'", mail[0].trace
        )
    ) >= 3


async def test_hold_is_in_the_trace_of_its_request_and_holds_together_are_linked(
    fresh_pool: Any, fresh_database: str, valkey: Any, tmp_path: Path, collector: Collector
) -> None:
    sale = await make_sale(fresh_pool)
    items = [{"ticket_type_id": str(sale.made.types["adult"]), "quantity": 1}]
    body = {"session_id": str(sale.made.session_id), "items": items}
    resources = resources_on(fresh_pool, valkey, fresh_database, tmp_path)
    organization_id = sale.made.organization_id
    async with transaction(fresh_pool, organization_id) as conn:
        # Without an endpoint nobody would hear of holds.
        fields = EndpointFields("https://hooks.example/", "", ("order.paid",))
        await create_endpoint(conn, system.make_id, SECRET_KEY, organization_id, fields)

    async def place(client: httpx.AsyncClient, number: int) -> httpx.Response:
        return await client.post("/api/v1/reservations", json=body, headers={"traceparent": context_of(number)})

    with tracing.traces_to(collector.url, "fullhouse-test"):
        async with running_app(resources) as app, client_of(app) as client:
            async with fresh_pool.acquire() as conn, conn.transaction():
                await conn.execute("SELECT FROM stock FOR UPDATE")
                alone = [asyncio.create_task(place(client, 1))]
                await until(lambda: fresh_pool.fetchval(WAITS_FOR_A_LOCK))
                together = [asyncio.create_task(place(client, number)) for number in (2, 3)]
                while app.api.state.box_office.desks.waiting_count < 2:  # noqa: ASYNC110 (nothing tells us)
                    await asyncio.sleep(0)
            answers = await asyncio.gather(*alone, *together)
            assert [answer.status_code for answer in answers] == [201, 201, 201]
        async with running_worker(resources):
            await drained(fresh_pool)

    first, second = sorted(collector.named("hold"), key=lambda span: span.attributes["fullhouse.batch.size"])
    assert [trace_of(context_of(number)) for number in (1, 2)] == [first.trace, second.trace]
    assert collector.path_of(first) == ["POST /api/v1/reservations", "hold"]
    assert first.links == ()
    # A span has one parent: the other request of the batch is linked to it.
    third = next(one for one in collector.spans if one.parent == span_of(context_of(3)))
    assert second.links == ((third.trace, third.id),)
    enqueued = [span for span in collector.named("process webhooks.enqueue") if span.trace == second.trace]
    assert [collector.path_of(span)[1:] for span in enqueued] == [
        ["hold", "publish reservation.held", "process webhooks.enqueue"]
    ]
    assert not collector.named("publish reservation.held")[0].failed


async def test_where_traces_are_off_no_message_has_one(
    fresh_pool: Any, fresh_database: str, valkey: Any, tmp_path: Path
) -> None:
    await pay_and_wait(fresh_pool, valkey, fresh_database, tmp_path, traceparent=SENT)
    assert await fresh_pool.fetchval("SELECT count(*) FROM outbox WHERE traceparent IS NOT NULL") == 0


async def test_failure_marks_its_span_and_tells_nothing_of_the_error(collector: Collector) -> None:
    with tracing.traces_to(collector.url, "fullhouse-test"):
        with pytest.raises(ValueError, match="a secret"), tracing.span("send mail", "client"):
            raise ValueError("a secret")
        with tracing.request_span("GET", [(b"traceparent", b"no context")]):
            own = tracing.traceparent()
    failed, request = collector.spans
    assert (failed.failed, failed.attributes) == (True, {"error.type": "ValueError"})
    assert (request.parent, request.failed) == ("", False)
    assert own is not None
    assert own.startswith(f"00-{request.trace}-{request.id}-")
    assert is_kept(own)
    assert tracing.traceparent() is None


async def test_traces_that_are_not_kept_travel_on_as_such(collector: Collector) -> None:
    with tracing.traces_to(collector.url, "fullhouse-test", ratio=0.0), tracing.request_span("GET", []):
        own = tracing.traceparent()
        assert own is not None
        assert not is_kept(own)
        with tracing.publishing([replace(message(), traceparent=own), message()]) as published:
            carried, without = published
    assert carried.traceparent is not None
    assert carried.traceparent.split("-")[1] == own.split("-")[1]
    assert not is_kept(carried.traceparent)
    assert without.traceparent is None
    assert collector.spans == []


def test_context_travels_in_the_cloud_event_and_not_to_receivers_of_webhooks() -> None:
    sent = replace(message(number=1), traceparent=SENT)
    event = to_cloud_event(sent)
    assert event["traceparent"] == SENT
    assert from_cloud_event(event) == sent
    assert "traceparent" not in to_cloud_event(message())
    assert "trace" not in write_body(sent)


def test_nothing_of_opentelemetry_is_loaded_where_traces_are_off() -> None:
    script = """
import sys
import fullhouse.cli.serve, fullhouse.workers.run, fullhouse.workers.work, fullhouse.aws.payment_processor
from fullhouse.infra import tracing
with tracing.traces_to(None, "fullhouse-worker"), tracing.span("send mail", "client"):
    assert tracing.traceparent() is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
import fullhouse.web.app
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout.splitlines(), ran.stderr) == (["[]", "[]"], "")
