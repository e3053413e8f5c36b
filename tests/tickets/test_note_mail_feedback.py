"""A mail that does not arrive is noted with its order, where the organization sees it, and in a metric."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from harness.aws import client_of, endpoint_of, running_ministack
from harness.mail_server import Inbox, served
from harness.shop import Shop
from harness.sold import Sell, Sold, make_mailroom
from harness.waiting import until
from harness.web import client_of as web_client_of
from harness.web import make_resources, running_app

from fullhouse.infra.mail_feedback import Feedback
from fullhouse.infra.mail_feedback_queue import open_feedback_queue
from fullhouse.infra.mailer import MailRefused, open_mailer
from fullhouse.infra.object_store import ObjectStore
from fullhouse.infra.postgres import Pool
from fullhouse.tickets.mail_tickets import MailRecords, Mailroom, mail_tickets
from fullhouse.tickets.note_mail_feedback import note_mail_feedback
from fullhouse.tickets.write_mail import message_id_of
from fullhouse.workers.receive_feedback import FeedbackReceiver

SENDER = "Fullhouse <tickets@tickets.example>"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def post(inbox: Inbox, object_store: ObjectStore) -> AsyncIterator[Mailroom]:
    async with served(inbox) as port:
        yield make_mailroom(object_store, open_mailer(f"smtp://127.0.0.1:{port}", SENDER))


async def issued(sell: Sell) -> Sold:
    sold = await sell()
    await sold.issue()
    return sold


async def send(sold: Sold, mailroom: Mailroom) -> bool:
    return await mail_tickets(MailRecords(sold.pool), mailroom, sold.organization_id, sold.order_id)


async def problem(sold: Sold) -> tuple[Any, ...] | None:
    row = await sold.pool.fetchrow(
        "SELECT problem, problem_is_permanent, problem_reason FROM mail_deliveries WHERE order_id = $1", sold.order_id
    )
    return tuple(row) if row else None


def bounce(sold: Sold, *, permanent: bool = True, reason: str = "unknown") -> Feedback:
    message_id = message_id_of(sold.order_id, "tickets.example")
    return Feedback(message_id, "bounced", is_permanent=permanent, reason=reason)


def event(sold: Sold) -> str:
    own = {"name": "X-Fullhouse-Message-ID", "value": message_id_of(sold.order_id, "tickets.example")}
    told = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": []}
    return json.dumps({"eventType": "Bounce", "mail": {"headers": [own]}, "bounce": told})


async def test_address_that_a_server_refuses_is_noted_and_seen_by_the_organization_and_in_the_metrics(
    sell: Sell, inbox: Inbox, post: Mailroom, valkey: Any, tmp_path: Any
) -> None:
    sold = await issued(sell)
    inbox.recipient_answer = "550 5.1.1 <ana.souza@example.com> no such user"
    assert not await send(sold, post)
    assert await problem(sold) == ("refused", True, "550 5.1.1 [address] no such user")
    assert inbox.mails == []

    async with running_app(make_resources(sold.pool, valkey, tmp_path)) as app, web_client_of(app) as client:
        key = await Shop(sold.sale, client).member("box_office")
        (mail,) = (await client.get(f"/api/v1/orders/{sold.order_id}", headers=key)).json()["mails"]
        metrics = (await client.get("/metrics")).text
    assert (mail["kind"], mail["problem"]["problem"], mail["problem"]["is_permanent"]) == ("tickets", "refused", True)
    assert 'fullhouse_mails_not_arrived{problem="refused"}' in metrics

    # Asked again, for instance once the server knows the address, it goes.
    inbox.recipient_answer = ""
    assert await send(sold, post)
    assert (len(inbox.mails), await problem(sold)) == (1, (None, None, None))
    assert not await send(sold, post)


async def test_other_refusal_is_noted_and_goes_to_the_operator_too(sell: Sell, inbox: Inbox, post: Mailroom) -> None:
    sold = await issued(sell)
    inbox.answer = "554 not wanted"
    with pytest.raises(MailRefused, match="not wanted"):
        await send(sold, post)
    assert await problem(sold) == ("refused", False, "(554, 'not wanted')")
    inbox.answer = "250 taken"
    assert await send(sold, post)


async def test_bounce_is_noted_before_or_after_the_mail_is_and_what_is_permanent_stays(
    sell: Sell, post: Mailroom
) -> None:
    sold, other = await issued(sell), await issued(sell)
    await send(other, post)
    assert await note_mail_feedback(sold.pool, bounce(sold, permanent=False, reason="full"))
    assert await problem(sold) == ("bounced", False, "full")
    for reason in ("unknown", "later"):
        assert await note_mail_feedback(sold.pool, bounce(sold, reason=reason))
        assert await problem(sold) == ("bounced", True, "unknown")
    await note_mail_feedback(sold.pool, bounce(sold, permanent=False, reason="full"))
    assert await problem(sold) == ("bounced", True, "unknown")
    assert await problem(other) == (None, None, None)


async def test_mail_that_bounced_is_not_sent_again(sell: Sell, inbox: Inbox, post: Mailroom) -> None:
    sold = await issued(sell)
    await note_mail_feedback(sold.pool, bounce(sold))
    assert not await send(sold, post)
    assert inbox.mails == []


@pytest.mark.parametrize(
    "message_id", ["", "<x@y>", "<tickets.0192f3a4-5b6c-7d8e-9f01-23456789abcd@tickets.example>", "<tickets.1@y>"]
)
async def test_feedback_of_no_order_of_ours_changes_nothing(pool: Pool, message_id: str) -> None:
    before = await pool.fetchval("SELECT count(*) FROM mail_deliveries")
    assert not await note_mail_feedback(pool, Feedback(message_id, "bounced", is_permanent=True, reason=""))
    assert await pool.fetchval("SELECT count(*) FROM mail_deliveries") == before


async def test_worker_takes_events_from_the_queue_and_leaves_what_is_none(sell: Sell, post: Mailroom) -> None:
    sold = await issued(sell)
    await send(sold, post)
    with running_ministack() as broker_url:
        name = f"f{uuid4().hex[:10]}"
        async with client_of(broker_url, "sqs") as sqs:
            url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
            for body in ("no event", event(sold)):
                await sqs.send_message(QueueUrl=url, MessageBody=body)
            place = f"sqs://us-east-1?queue={name}&endpoint={endpoint_of(broker_url)}"
            queue = open_feedback_queue(f"{place}&access_key_id=test&secret_access_key=test")
            stop = asyncio.Event()
            running = asyncio.create_task(FeedbackReceiver(sold.pool, queue).run_until(stop))

            async def is_noted() -> bool:
                return (await problem(sold) or ("",))[0] == "bounced"

            async def is_struck_off() -> bool:
                names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
                counts = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names))["Attributes"]
                return sum(int(counts[name]) for name in names) == 1

            await until(is_noted)
            await until(is_struck_off)
            stop.set()
            await running
