"""The three functions under AWS's own runtime client: from a payment to the mail and the door, and nothing twice."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from harness.aws import client_of
from harness.collector import running_collector
from harness.house import House, Lambda
from harness.lambda_runtime import FunctionError, running_function
from harness.pgbouncer import running_pgbouncer
from harness.sale import Sale

from fullhouse.infra import system, tracing
from fullhouse.infra.brokers.sqs import open_broker
from fullhouse.infra.outbox_leases import prepare_leases
from fullhouse.infra.postgres import EVERY_ORGANIZATION, connection, transaction
from fullhouse.operations.read_codes import read_pdf
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.subscriptions import QUEUES

PROCESSOR = "fullhouse.aws.payment_processor.handler"
CLEAN_UP = "fullhouse.aws.clean_up.handler"
SENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
VALIDATOR = "fullhouse.aws.ticket_validator.handler"
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
BACKENDS = "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"


def request_of(body: str, **headers: str) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/api/v1/tickets/validate",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **headers},
        "requestContext": {
            "domainName": "door.lambda-url.us-east-1.on.aws",
            "http": {"method": "POST", "path": "/api/v1/tickets/validate", "sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


async def scanner_key(pool: Any, organization_id: UUID) -> str:
    async with transaction(pool, organization_id) as conn:
        new = NewApiKey(name="door", role=Role.SCANNER)
        return (await issue_api_key(conn, system.make_id, system.randomness, organization_id, new))[1]


async def test_payment_becomes_mailed_tickets_that_open_the_door_once(house: House, sale: Sale, tmp_path: Path) -> None:
    placed = await sale.order(2)
    order_id = placed.order.order_id
    await sale.pay(order_id)
    with ExitStack() as stack:
        clean_up, processor, validator = (
            stack.enter_context(running_function(handler, house.settings(), tmp_path))
            for handler in (CLEAN_UP, PROCESSOR, VALIDATOR)
        )

        # The simulated provider's notice comes; the clean-up sends what the outbox holds to SQS.
        done = clean_up.call({})["done"]
        assert (done["deliver_simulated_notices"], done["sent"] > 0) == (1, True)
        await Lambda(house, processor).pump()

        assert (await sale.show(order_id)).status == "paid"
        assert await sale.stock() == (10, 0, 2, 0)
        codes = await stored_codes(house)
        assert len(set(codes)) == 2
        (mail,) = house.mails_about(order_id)
        assert mail["To"] == ["ana.souza@example.com"]

        bearer = {"authorization": f"Bearer {await scanner_key(house.pool, sale.made.organization_id)}"}
        answers = [validator.call(request_of(f'{{"code": "{codes[0]}"}}', **bearer)) for _ in range(2)]
        assert [answer["statusCode"] for answer in answers] == [200, 200]
        assert '"outcome":"admitted"' in answers[0]["body"]
        assert '"outcome":"already_admitted"' in answers[1]["body"]

        for name in ("payment-processor", "clean-up", "ticket-validator"):
            assert 1 <= await house.pool.fetchval(CONNECTIONS, f"fullhouse-{name}") <= 2
        # All that was announced can be sent, and nothing is done twice when the same notices come again.
        before = await house.pool.fetchval(BACKENDS, "fullhouse-payment-processor")
        await house.pool.execute("UPDATE outbox SET sent_at = NULL")
        clean_up.call({})
        await Lambda(house, processor).pump()
        assert set(before) == set(await house.pool.fetchval(BACKENDS, "fullhouse-payment-processor"))
    assert await sale.live_units(order_id) == 2
    assert len(house.mails_about(order_id)) == 1
    assert await house.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0
    assert await house.pool.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_functions_go_on_with_the_trace_and_send_it_before_they_answer(
    house: House, sale: Sale, tmp_path: Path
) -> None:
    order_id = (await sale.order(1)).order.order_id
    with (
        running_collector() as collector,
        running_function(PROCESSOR, house.settings(FULLHOUSE_TRACES_URL=collector.url), tmp_path) as processor,
        tracing.traces_to(collector.url, "fullhouse-api"),
    ):
        with tracing.request_span("POST", [(b"traceparent", SENT)]):
            await sale.pay(order_id)
            await sale.deliver()
        await send_outbox(house)
        await Lambda(house, processor).pump()
    (mail,) = collector.named("send mail")
    assert mail.trace == SENT.split(b"-")[1].decode()
    path = collector.path_of(mail)
    assert path[0] == "POST"
    assert path[-4:] == ["process tickets.issue", "publish ticket.issued", "process tickets.deliver", "send mail"]
    assert {span.service for span in collector.spans} == {"fullhouse-api", "fullhouse-payment-processor"}


async def send_outbox(house: House) -> None:
    """Send what waits to SQS, as a relay beside the functions does."""
    broker = open_broker(house.broker_url, pool=house.pool, database_url="", make_id=system.make_id)
    await broker.declare(QUEUES)
    async with connection(house.pool, EVERY_ORGANIZATION) as conn:
        await prepare_leases(conn)
    for _ in range(2):
        await Relay(house.pool, broker, system.make_id, system.randomness).send_due()
    await broker.close()


async def test_functions_work_behind_a_transaction_pooler(house: House, sale: Sale, tmp_path: Path) -> None:
    order_id = (await sale.order(2)).order.order_id
    await sale.pay(order_id)
    with ExitStack() as stack:
        url = stack.enter_context(running_pgbouncer(house.database_url, tmp_path))
        settings = house.settings(FULLHOUSE_DATABASE_URL=url, FULLHOUSE_DATABASE_POOLER="on")
        clean_up, processor, validator = (
            stack.enter_context(running_function(handler, settings, tmp_path))
            for handler in (CLEAN_UP, PROCESSOR, VALIDATOR)
        )
        assert clean_up.call({})["done"]["deliver_simulated_notices"] == 1
        await Lambda(house, processor).pump()

        assert (await sale.show(order_id)).status == "paid"
        assert len(house.mails_about(order_id)) == 1
        bearer = {"authorization": f"Bearer {await scanner_key(house.pool, sale.made.organization_id)}"}
        scans = [request_of(f'{{"code": "{code}"}}', **bearer) for code in await stored_codes(house)]
        outcomes = [validator.call(scan)["body"].partition('"outcome":')[2][:10] for scan in scans]
        assert outcomes == ['"admitted"'] * 2


async def stored_codes(house: House) -> list[str]:
    async with client_of(house.broker_url, "s3") as s3:
        (found,) = (await s3.list_objects_v2(Bucket=house.bucket))["Contents"]
        stored = await s3.get_object(Bucket=house.bucket, Key=found["Key"])
        assert stored["ContentType"] == "application/pdf"
        return read_pdf(await stored["Body"].read())


async def test_door_refuses_like_the_api(house: House, sale: Sale, tmp_path: Path) -> None:
    key = await scanner_key(house.pool, sale.made.organization_id)
    bearer = {"authorization": f"Bearer {key}"}
    with running_function(VALIDATOR, house.settings(), tmp_path) as validator:
        unknown = validator.call(request_of('{"code": "no code of ours"}', **bearer))
        assert (unknown["statusCode"], '"outcome":"unknown"' in unknown["body"]) == (200, True)
        refused = {
            401: request_of('{"code": "x"}'),
            422: request_of('{"code": "x", "colour": "red"}', **bearer),
            400: request_of("{", **bearer),
            413: request_of('{"code": "' + "x" * 300_000 + '"}', **bearer),
            404: {**request_of("{}", **bearer), "rawPath": "/api/v1/orders"},
        }
        for status, event in refused.items():
            answer = validator.call(event)
            assert (answer["statusCode"], answer["headers"]["content-type"]) == (status, "application/problem+json")
            assert answer["headers"]["x-request-id"]
        assert key not in validator.text()


async def test_wrong_setting_is_told_and_the_next_call_tries_again(house: House, tmp_path: Path) -> None:
    environment = house.settings(FULLHOUSE_BROKER_URL="postgres")
    with running_function(PROCESSOR, environment, tmp_path) as processor:
        for _ in range(2):
            with pytest.raises(FunctionError, match="takes its messages from SQS"):
                processor.call({"Records": []})
