"""What becomes of the messages of a batch: those behind a failure wait, and what cannot be is put away."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.messages import message
from harness.worker import resources_on

from fullhouse.aws.batch import QueueUnknown
from fullhouse.aws.payment_processor import Processor
from fullhouse.core.errors import Invalid, Unavailable
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.workers.react import Subscription
from fullhouse.workers.run import Work

FIFO, STANDARD = "h-things.fifo", "h-things"
Handler = Callable[[Message], Awaitable[None]]


def plenty() -> float:
    return 30.0


def record(sent: Message | str, *, queue: str = FIFO, attempts: int = 1) -> dict[str, Any]:
    body = sent if isinstance(sent, str) else json.dumps(to_cloud_event(sent))
    return {
        "messageId": str(uuid4()) if isinstance(sent, str) else str(sent.message_id),
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(attempts)},
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
    }


@pytest.fixture
def processor(pool: Any, valkey: Any, database_url: str, tmp_path: Path) -> Callable[[Handler], Processor]:
    resources = resources_on(pool, valkey, database_url, tmp_path)

    def made(handler: Handler) -> Processor:
        work = Work((Subscription("things", frozenset({"thing.happened"}), outside=handler),), ())
        return Processor(resources, work, {FIFO: "things", STANDARD: "things"}, "h-mail-feedback")

    return made


class Reaction:
    """A handler that fails for some messages, and remembers what it was given."""

    def __init__(self, error: Exception, *fails: Message) -> None:
        self.error = error
        self.fails = {one.message_id for one in fails}
        self.seen: list[UUID] = []

    async def __call__(self, given: Message) -> None:
        self.seen.append(given.message_id)
        if given.message_id in self.fails:
            raise self.error


async def test_in_a_fifo_batch_everything_after_the_first_failure_fails_untried(processor: Any) -> None:
    key = uuid4()
    first, second, third, elsewhere = message(key), message(key), message(key), message()
    reaction = Reaction(Unavailable("away"), second)
    batch = [record(one) for one in (first, second, elsewhere, third)]

    failed = await processor(reaction).process({"Records": batch}, plenty)
    assert failed == [str(one.message_id) for one in (second, elsewhere, third)]
    assert reaction.seen == [first.message_id, second.message_id]

    reaction.fails.clear()
    assert await processor(reaction).process({"Records": batch[1:]}, plenty) == []
    assert reaction.seen[2:] == [second.message_id, elsewhere.message_id, third.message_id]


async def test_in_a_standard_batch_each_message_fails_alone(processor: Any) -> None:
    key = uuid4()
    first, second = message(key), message(key)
    reaction = Reaction(ValueError("odd"), first)
    events = {"Records": [record(one, queue=STANDARD) for one in (first, second)]}
    assert await processor(reaction).process(events, plenty) == [str(first.message_id)]
    assert set(reaction.seen) == {first.message_id, second.message_id}


async def test_what_can_never_succeed_is_put_away_and_its_key_goes_on(processor: Any, pool: Any) -> None:
    key = uuid4()
    bad, good = message(key), message(key)
    reaction = Reaction(Invalid("it cannot be"), bad)

    assert await processor(reaction).process({"Records": [record(bad, attempts=2), record(good)]}, plenty) == []

    assert reaction.seen == [bad.message_id, good.message_id]
    row = await pool.fetchrow("SELECT queue, reason, attempts FROM dead_letters WHERE message_id = $1", bad.message_id)
    assert tuple(row) == ("things", "invalid: it cannot be", 2)


async def test_body_that_is_no_message_fails_until_sqs_puts_it_away(processor: Any) -> None:
    records = [record("no json"), record("{}"), record("[]")]
    reaction = Reaction(ValueError())
    assert await processor(reaction).process({"Records": records}, plenty) == [one["messageId"] for one in records]
    assert reaction.seen == []


async def test_call_that_has_no_time_left_gives_its_messages_back(processor: Any) -> None:
    reaction = Reaction(ValueError())
    late = message()

    async def slow(_given: Message) -> None:
        raise TimeoutError

    assert await processor(slow).process({"Records": [record(late)]}, lambda: 0.0) == [str(late.message_id)]
    assert reaction.seen == []


async def test_queue_that_is_not_ours_is_a_mistake_of_the_deployment(processor: Any) -> None:
    with pytest.raises(QueueUnknown, match="h-other"):
        await processor(Reaction(ValueError())).process({"Records": [record(message(), queue="h-other")]}, plenty)


async def test_what_ses_tells_is_noted_and_what_is_no_event_comes_again(processor: Any) -> None:
    told = {"eventType": "Bounce", "mail": {"headers": []}, "bounce": {}}
    records = [record(body, queue="h-mail-feedback") for body in (json.dumps(told), "no event")]
    assert await processor(Reaction(ValueError())).process({"Records": records}, plenty) == [records[1]["messageId"]]
