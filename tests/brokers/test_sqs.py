"""What SQS has of its own: message groups, batches that fail in part, redrive, standard queues, ages in CloudWatch."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from harness.aws import client_of, running_ministack
from harness.messages import message
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable, Delivery, MessageRefused
from fullhouse.infra.brokers.sqs import open_broker
from fullhouse.infra.brokers.sqs_place import BODY_BYTES_MAX, REQUEST_COUNT_MAX, Sent, read_sqs_url, requests_of
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.system import make_id

QUEUE = "things.work"
WANTED = {QUEUE: {"thing.happened"}}
LEASE = 30.0

Open = Callable[..., Awaitable[Broker]]


@pytest.fixture(scope="module")
def sqs_url() -> Iterator[str]:
    with running_ministack() as url:
        yield url


@pytest.fixture
def prefix() -> str:
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
async def opened(sqs_url: str, prefix: str, pool: Any) -> AsyncIterator[Open]:
    """Open a broker whose queues belong to this test; call it again for a second process."""
    async with AsyncExitStack() as stack:

        async def opened(**options: str) -> Broker:
            url = sqs_url.replace("prefix=fullhouse", f"prefix={prefix}") + "".join(
                f"&{name}={value}" for name, value in options.items()
            )
            broker = open_broker(url, pool=pool, database_url="", make_id=make_id)
            stack.push_async_callback(broker.close)
            await broker.declare(WANTED)
            return broker

        yield opened


async def receive(broker: Broker, count_max: int = 10, lease_seconds: float = LEASE) -> list[Delivery]:
    return await broker.receive(QUEUE, count_max=count_max, lease_seconds=lease_seconds)


async def receive_when_ready(broker: Broker) -> Delivery:
    async with asyncio.timeout(20):
        while True:
            if got := await receive(broker, 1):
                return got[0]
            await broker.wait(QUEUE, 0.1)


def numbers(deliveries: list[Delivery]) -> list[Any]:
    return [delivery.body["data"]["number"] for delivery in deliveries]  # type: ignore[index,call-overload]


async def test_what_is_behind_the_first_of_a_key_comes_after_it_as_a_first_try(opened: Open) -> None:
    broker = await opened()
    key = uuid4()
    await broker.publish([message(key, number=number) for number in range(13)])
    seen: list[Any] = []
    for _ in range(13):
        (delivery,) = await receive(broker)
        seen += numbers([delivery])
        assert delivery.attempts == 1
        await broker.acknowledge([delivery])
    assert seen == list(range(13))
    assert [depth.count for depth in await broker.depth()] == [0]


async def test_key_waits_for_a_message_given_back_and_its_followers_have_had_no_try(opened: Open) -> None:
    broker = await opened()
    key = uuid4()
    await broker.publish([message(key, number=number) for number in range(3)])
    (first,) = await receive(broker)

    await broker.retry_later(first, 0.5)
    assert await receive(broker) == []

    again = await receive_when_ready(broker)
    assert (numbers([again]), again.attempts) == ([0], 2)
    await broker.acknowledge([again])
    second = await receive_when_ready(broker)
    assert (numbers([second]), second.attempts) == ([1], 1)


async def test_consumer_that_stops_gives_back_what_it_kept(opened: Open) -> None:
    leaving, staying = await opened(), await opened()
    key = uuid4()
    await leaving.publish([message(key, number=number) for number in range(3)])
    (first,) = await receive(leaving)
    await leaving.acknowledge([first])

    await leaving.close()

    assert numbers(await receive(staying)) == [1]


async def test_who_stops_waiting_loses_no_message(opened: Open) -> None:
    broker = await opened()
    assert await receive(broker) == []
    waiting = asyncio.create_task(broker.wait(QUEUE, 60))
    await asyncio.sleep(0.2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await broker.publish([message(number=1)])

    delivery = await receive_when_ready(broker)
    assert (numbers([delivery]), delivery.attempts) == ([1], 1)


async def test_message_that_nobody_deals_with_ends_in_the_dead_letter_queue(
    opened: Open, sqs_url: str, prefix: str, pool: Any
) -> None:
    broker = await opened(tries="2")
    bad = message(number=1)
    await broker.publish([bad])
    for attempt in (1, 2):
        delivery = await receive_when_ready(broker)
        assert delivery.attempts == attempt
        await broker.retry_later(delivery, 0)

    assert await receive(broker) == []

    async with client_of(sqs_url, "sqs") as sqs:
        url = (await sqs.get_queue_url(QueueName=f"{prefix}-things-work-dead.fifo"))["QueueUrl"]
        (put_away,) = (await sqs.receive_message(QueueUrl=url))["Messages"]
    assert json.loads(put_away["Body"])["id"] == str(bad.message_id)
    assert await pool.fetchval("SELECT count(*) FROM dead_letters WHERE message_id = $1", bad.message_id) == 0


async def test_dead_letter_is_written_once_though_the_message_comes_again(opened: Open, pool: Any) -> None:
    broker = await opened()
    bad = message()
    for _ in range(2):
        await broker.requeue(QUEUE, to_cloud_event(bad))
        await broker.dead_letter(await receive_when_ready(broker), "no: " + "x" * 5_000)
    rows = await pool.fetch("SELECT reason FROM dead_letters WHERE message_id = $1", bad.message_id)
    assert [len(row["reason"]) for row in rows] == [2_000]


async def test_batch_refused_in_part_says_so_and_the_rest_is_there(opened: Open, sqs_url: str, prefix: str) -> None:
    broker = await opened()
    assert await receive(broker) == []
    async with client_of(sqs_url, "sqs") as sqs:
        url = (await sqs.get_queue_url(QueueName=f"{prefix}-things-work.fifo"))["QueueUrl"]
        await sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "1024"})

    with pytest.raises(MessageRefused, match="InvalidParameterValue"):
        await broker.publish([message(number=1), message(number=2, text="x" * 1_100), message(number=3)])

    assert numbers(await receive(broker)) == [1, 3]


async def test_message_that_is_too_large_for_every_queue_is_refused(opened: Open) -> None:
    broker = await opened()
    with pytest.raises(MessageRefused, match=f"more than {BODY_BYTES_MAX}"):
        await broker.publish([message(text="x" * BODY_BYTES_MAX)])
    assert await receive(broker) == []


async def test_what_is_none_of_our_messages_is_left_to_the_redrive(opened: Open, sqs_url: str, prefix: str) -> None:
    broker = await opened()
    await broker.publish([message(number=1)])
    async with client_of(sqs_url, "sqs") as sqs:
        url = (await sqs.get_queue_url(QueueName=f"{prefix}-things-work.fifo"))["QueueUrl"]
        for number, body in enumerate(("no json", "{}", "[1]")):
            await sqs.send_message(
                QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=str(number)
            )
    assert numbers(await receive(broker)) == [1]


async def test_standard_queue_hands_a_key_out_at_once_and_takes_repeats(opened: Open) -> None:
    broker = await opened(fifo="off")
    key = uuid4()
    first, second = message(key, number=1), message(key, number=2)
    await broker.publish([first, second])
    await broker.publish([first])

    got = await receive(broker)
    assert sorted(numbers(got)) == [1, 1, 2]
    await broker.retry_later(got[0], 3600)
    await broker.acknowledge(got[1:])
    assert [depth.count for depth in await broker.depth()] == [1]


async def test_depth_has_the_age_that_cloudwatch_knows(opened: Open, sqs_url: str, prefix: str) -> None:
    broker = await opened()
    assert [(depth.count, depth.oldest_seconds) for depth in await broker.depth()] == [(0, 0.0)]
    await broker.publish([message(), message()])
    assert [(depth.count, depth.oldest_seconds) for depth in await broker.depth()] == [(2, None)]
    async with client_of(sqs_url, "cloudwatch") as watch:
        await watch.put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": f"{prefix}-things-work.fifo"}],
                    "Timestamp": datetime.now(UTC),
                    "Value": 75.0,
                }
            ],
        )
    assert [(depth.count, depth.oldest_seconds) for depth in await broker.depth()] == [(2, 75.0)]


async def test_sqs_that_is_away_is_told_apart_from_a_refusal(pool: Any) -> None:
    broker = open_broker(
        "sqs://us-east-1?endpoint=http://127.0.0.1:1&access_key_id=a&secret_access_key=b",
        pool=pool,
        database_url="",
        make_id=make_id,
    )
    await broker.declare(WANTED)
    # At once: the client waits between its own tries.
    doing = (broker.publish([message()]), receive(broker), broker.depth())
    outcomes = await asyncio.gather(*doing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BrokerUnavailable] * 3
    await broker.close()


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("sqs://", "write sqs://REGION"),
        ("sqs://eu-west-1/path", "write sqs://REGION"),
        ("sqs://eu-west-1?colour=red", "does not know the option colour"),
        ("sqs://eu-west-1?fifo=perhaps", "fifo is on or off, not perhaps"),
        ("sqs://eu-west-1?tries=0", "tries is 1 to 1000, not 0"),
        ("sqs://eu-west-1?tries=many", "tries is 1 to 1000, not many"),
        ("sqs://eu-west-1?prefix=a.b", "prefix has at most 20"),
        ("sqs://eu-west-1?endpoint=http://sqs.example", "http://… on loopback"),
    ],
)
def test_url_that_makes_no_sense_is_one_clear_line(url: str, wrong: str) -> None:
    with pytest.raises(OperatorError, match=wrong):
        read_sqs_url(url)


def test_url_says_region_prefix_and_kind() -> None:
    place = read_sqs_url("sqs://eu-west-1?prefix=house&fifo=off")
    assert (place.aws.region, place.name_of("tickets.issue")) == ("eu-west-1", "house-tickets-issue")
    assert place.dead_name_of("tickets.issue") == "house-tickets-issue-dead"
    assert "secret" not in repr(read_sqs_url("sqs://eu-west-1?secret_access_key=secret"))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, BODY_BYTES_MAX // 3)), max_size=40),
)
def test_requests_hold_all_in_order_of_keys_within_the_limits(plan: list[tuple[str, int]]) -> None:
    sent = [Sent(key, "x" * size, str(number)) for number, (key, size) in enumerate(plan)]
    requests = requests_of(sent)
    assert sorted((one.once for request in requests for one in request), key=int) == [one.once for one in sent]
    for request in requests:
        assert 1 <= len(request) <= REQUEST_COUNT_MAX
        assert sum(len(one.body) for one in request) <= BODY_BYTES_MAX
        assert len({one.key for one in request}) == len(request)
    for key in "abc":
        of_key = [int(one.once) for request in requests for one in request if one.key == key]
        assert of_key == sorted(of_key)
