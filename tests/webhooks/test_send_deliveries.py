"""From a message to its receiver, with a real database and real TLS: each attempt, each retry, each end."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from harness.receivers import NO_CONTENT, Received, Receiver, answer_of
from harness.waiting import until
from harness.web import SECRET_KEY
from harness.webhooks import Webhooks

from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.postgres import transaction
from fullhouse.webhooks.prune_deliveries import prune_deliveries
from fullhouse.webhooks.rotate_secret import rotate_secret
from fullhouse.webhooks.rules import ATTEMPTS_MAX, RETRY_SECONDS
from fullhouse.webhooks.send_deliveries import LEASE_SECONDS
from fullhouse.webhooks.signature import derive_webhook_secret, sign


def signatures(request: Received) -> list[str]:
    return request.headers["webhook-signature"].split(" ")


async def test_a_message_arrives_signed_as_a_cloud_event(webhooks: Webhooks, receiver: Receiver) -> None:
    endpoint = await webhooks.endpoint(receiver.url())
    message = webhooks.message()
    assert await webhooks.enqueue(message) == 1
    assert await webhooks.sender().send_due() == 1
    (request,) = receiver.received
    assert request.headers["webhook-id"] == str(message.message_id)
    timestamp = int(request.headers["webhook-timestamp"])
    assert abs(timestamp - datetime.now(UTC).timestamp()) < 300
    secret = derive_webhook_secret(SECRET_KEY, endpoint.endpoint_id, 1)
    assert signatures(request) == [sign(secret, str(message.message_id), timestamp, request.body)]
    event = json.loads(request.body)
    assert event == {
        "specversion": "1.0",
        "id": str(message.message_id),
        "source": "/fullhouse",
        "type": "order.paid.v1",
        "time": message.occurred_at,
        "datacontenttype": "application/json",
        "dataschema": "urn:fullhouse:message:order.paid:v1",
        "subject": str(message.key),
        "organizationid": str(message.organization_id),
        "partitionkey": str(message.key),
        "data": dict(message.data),
    }
    assert from_cloud_event(event).data == message.data
    assert await webhooks.statuses() == [("delivered", 1)]
    assert await webhooks.attempts() == [(204, None)]


async def test_each_endpoint_gets_what_it_chose_once(
    webhooks: Webhooks, receiver: Receiver, second_receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url(), "order.paid", "ticket.issued")
    await webhooks.endpoint(second_receiver.url(), "ticket.issued")
    paid, issued, placed = (webhooks.message(name) for name in ("order.paid", "ticket.issued", "order.placed"))
    assert [await webhooks.enqueue(message) for message in (paid, issued, placed)] == [1, 2, 0]
    assert [await webhooks.enqueue(message) for message in (paid, issued, placed)] == [0, 0, 0]
    assert await webhooks.sender().send_due() == 3
    assert await webhooks.sender().send_due() == 0
    assert sorted(receiver.ids()) == sorted([str(paid.message_id), str(issued.message_id)])
    assert second_receiver.ids() == [str(issued.message_id)]


async def test_another_organization_hears_nothing(webhooks: Webhooks, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url())
    theirs = replace(webhooks.message(), organization_id=uuid4())
    assert await webhooks.enqueue(theirs) == 0
    assert await webhooks.sender().send_due() == 0


async def test_a_failure_is_tried_again_after_its_wait_with_the_same_id_and_body(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url())
    await webhooks.announce()
    receiver.answers = [answer_of(500, b"not now"), answer_of(302), b"", NO_CONTENT]
    for attempts, wait in enumerate(RETRY_SECONDS[:3], start=1):
        assert await webhooks.sender().send_due() == 1
        assert await webhooks.sender().send_due() == 0
        assert await webhooks.statuses() == [("pending", attempts)]
        left = await webhooks.pool.fetchval(
            "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM webhook_deliveries"
        )
        assert 0.9 * wait - 5 < left <= 1.1 * wait
        await webhooks.make_due()
    assert await webhooks.sender().send_due() == 1
    assert await webhooks.statuses() == [("delivered", 4)]
    assert await webhooks.attempts() == [(500, None), (302, "redirected"), (None, "connection_lost"), (204, None)]
    assert len(set(receiver.ids())) == 1
    assert len({request.body for request in receiver.received}) == 1
    (endpoint,) = webhooks.endpoints
    assert (await webhooks.show(endpoint))["failure_count"] == 0


async def test_after_the_last_try_the_endpoint_is_disabled_and_what_waited_has_failed(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    endpoint = await webhooks.endpoint(receiver.url())
    receiver.answers = [answer_of(503)]
    await webhooks.announce(count=2)
    await webhooks.pool.execute(
        """
        UPDATE webhook_deliveries SET due_at = clock_timestamp() + interval '1 hour'
        WHERE delivery_id = (SELECT max(delivery_id::text)::uuid FROM webhook_deliveries)
        """
    )
    for number in range(ATTEMPTS_MAX):
        assert await webhooks.sender().send_due() == 1, number
        await webhooks.pool.execute(
            """
            UPDATE webhook_deliveries SET due_at = clock_timestamp()
            WHERE due_at IS NOT NULL AND attempts > 0
            """
        )
    assert await webhooks.statuses() == [("failed", ATTEMPTS_MAX), ("failed", 0)]
    shown = await webhooks.show(endpoint)
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "failing")
    await webhooks.announce()
    assert await webhooks.statuses() == [("failed", ATTEMPTS_MAX), ("failed", 0), ("failed", 0)]
    await webhooks.make_due()
    assert await webhooks.sender().send_due() == 0
    assert len(receiver.received) == ATTEMPTS_MAX


async def test_one_message_that_is_never_taken_disables_no_endpoint_that_takes_others(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    endpoint = await webhooks.endpoint(receiver.url())
    (poison,) = await webhooks.announce()

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_of(500) if request.headers["webhook-id"] == poison else NO_CONTENT)
        await writer.drain()

    receiver.answers = [answer]
    await webhooks.sender().send_due()
    await webhooks.announce()
    for _ in range(ATTEMPTS_MAX):
        await webhooks.make_due()
        await webhooks.sender().send_due()
    assert await webhooks.statuses() == [("failed", ATTEMPTS_MAX), ("delivered", 1)]
    assert (await webhooks.show(endpoint))["status"] == "enabled"


async def test_410_disables_at_once(webhooks: Webhooks, receiver: Receiver) -> None:
    endpoint = await webhooks.endpoint(receiver.url())
    receiver.answers = [answer_of(410)]
    await webhooks.announce(count=3)
    assert await webhooks.sender(in_flight_max=1).send_due() == 1
    assert await webhooks.statuses() == [("failed", 1), ("failed", 0), ("failed", 0)]
    shown = await webhooks.show(endpoint)
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "gone")


async def test_both_secrets_sign_while_the_overlap_lasts(webhooks: Webhooks, receiver: Receiver) -> None:
    endpoint = await webhooks.endpoint(receiver.url())
    first = derive_webhook_secret(SECRET_KEY, endpoint.endpoint_id, 1)
    async with transaction(webhooks.pool, endpoint.organization_id) as conn:
        changed, second = await rotate_secret(
            conn, SECRET_KEY, endpoint.organization_id, endpoint.endpoint_id, overlap_hours=1
        )
    assert (changed.secret_number, second) == (2, derive_webhook_secret(SECRET_KEY, endpoint.endpoint_id, 2))
    await webhooks.announce()
    await webhooks.sender().send_due()
    await webhooks.pool.execute(
        "UPDATE webhook_endpoints SET previous_secret_until = previous_secret_until - interval '1 hour'"
    )
    await webhooks.announce()
    await webhooks.sender().send_due()
    during, after = receiver.received
    for request, secrets in ((during, [second, first]), (after, [second])):
        message_id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        assert signatures(request) == [sign(secret, message_id, timestamp, request.body) for secret in secrets]


async def test_a_slow_receiver_blocks_no_other_and_gets_no_more_than_its_share(
    webhooks: Webhooks, receiver: Receiver, second_receiver: Receiver
) -> None:
    go_on = asyncio.Event()

    async def wait(_request: Received, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(NO_CONTENT)
        await writer.drain()

    receiver.answers = [wait]
    await webhooks.endpoint(receiver.url(), "order.placed")
    await webhooks.endpoint(second_receiver.url(), "order.paid")
    await webhooks.announce("order.placed", 30)
    await webhooks.announce("order.paid", 30)

    async def quick_ones_arrived() -> bool:
        return len(second_receiver.received) == 30

    async def all_arrived() -> bool:
        return len(receiver.received) == 30

    async with webhooks.sending(webhooks.sender(in_flight_max=8), webhooks.sender(in_flight_max=8)):
        await until(quick_ones_arrived)
        assert receiver.at_once == receiver.at_once_max == 4
        go_on.set()
        await until(all_arrived)
    assert receiver.at_once_max == 4
    assert second_receiver.at_once_max <= 4
    assert len(set(receiver.ids())) == len(set(second_receiver.ids())) == 30
    assert set(await webhooks.statuses()) == {("delivered", 1)}


async def test_a_receiver_that_fails_gets_one_attempt_at_a_time(webhooks: Webhooks, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url())
    receiver.answers = [answer_of(500)]
    await webhooks.announce(count=3)
    sender = webhooks.sender()
    assert await sender.send_due() == 3
    await webhooks.make_due()
    assert [await sender.send_due() for _ in range(4)] == [1, 1, 1, 0]


async def test_several_senders_send_each_delivery_once(webhooks: Webhooks, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url())
    ids = await webhooks.announce(count=40)

    async def all_arrived() -> bool:
        return len(receiver.received) >= 40

    async with webhooks.sending(*(webhooks.sender() for _ in range(4))):
        await until(all_arrived)
    assert sorted(receiver.ids()) == sorted(ids)


async def test_a_lost_lease_is_sent_again_and_the_late_one_counts_nothing(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url())
    (message_id,) = await webhooks.announce()
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def freeze(_request: Received, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go_on.wait()
        writer.write(answer_of(500))
        await writer.drain()

    receiver.answers = [freeze, NO_CONTENT]
    frozen = asyncio.create_task(webhooks.sender().send_due())
    await arrived.wait()
    left = await webhooks.pool.fetchval(
        "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM webhook_deliveries"
    )
    assert LEASE_SECONDS - 10 < left <= LEASE_SECONDS
    assert await webhooks.sender().send_due() == 0
    await webhooks.make_due()
    assert await webhooks.sender().send_due() == 1
    go_on.set()
    await frozen
    assert receiver.ids() == [message_id] * 2
    assert await webhooks.statuses() == [("delivered", 1)]
    assert await webhooks.attempts() == [(204, None)]


async def test_stopping_finishes_what_is_on_its_way(webhooks: Webhooks, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url())
    await webhooks.announce()
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_request: Received, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go_on.wait()
        writer.write(NO_CONTENT)
        await writer.drain()

    receiver.answers = [wait]
    stop = asyncio.Event()
    running = asyncio.create_task(webhooks.sender().run_until(stop))
    await arrived.wait()
    stop.set()
    go_on.set()
    await running
    assert await webhooks.statuses() == [("delivered", 1)]


@pytest.mark.parametrize(("days", "left"), [(29, 1), (31, 0)])
async def test_the_log_reaches_back_thirty_days(webhooks: Webhooks, receiver: Receiver, days: int, left: int) -> None:
    await webhooks.endpoint(receiver.url())
    await webhooks.announce()
    await webhooks.sender().send_due()
    await webhooks.pool.execute(
        "UPDATE webhook_deliveries SET ended_at = ended_at - $1::interval", timedelta(days=days)
    )
    await webhooks.announce()
    await webhooks.pool.execute(
        "UPDATE webhook_deliveries SET created_at = created_at - interval '90 days' WHERE status = 'pending'"
    )
    assert await prune_deliveries(webhooks.pool) == 1 - left
    assert len(await webhooks.statuses()) == left + 1
    assert await webhooks.pool.fetchval("SELECT count(*) FROM webhook_attempts") == left
