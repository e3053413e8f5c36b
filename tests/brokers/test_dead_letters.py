"""Dead letters wait for somebody; each is replayed or discarded once."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.messages import message
from harness.receiving import received

from fullhouse.core.message import Message
from fullhouse.infra.brokers.dead_letters import (
    DeadLetterNotFound,
    discard_dead_letter,
    list_dead_letters,
    load_dead_letter,
    replay_dead_letter,
)
from fullhouse.infra.brokers.port import Broker


async def put_away(broker: Broker, queue: str, sent: Message, pool: Any) -> UUID:
    await broker.publish([sent])
    delivery = await received(broker, queue)
    await broker.dead_letter(delivery, "invalid: no")
    (letter,) = await list_dead_letters(pool, queue=queue)
    return letter.dead_letter_id


async def test_replayed_letter_is_in_its_queue_again_with_fresh_attempts(
    open_brokers: Any, queue: str, pool: Any
) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    sent = message(number=1)
    dead_letter_id = await put_away(broker, queue, sent, pool)

    letter = await replay_dead_letter(pool, broker, dead_letter_id)

    assert (letter.resolution, letter.queue, letter.reason) == ("replayed", queue, "invalid: no")
    delivery = await received(broker, queue)
    assert (delivery.message_id, delivery.attempts, delivery.body) == (sent.message_id, 1, letter.body)
    assert await list_dead_letters(pool, queue=queue) == []
    with pytest.raises(DeadLetterNotFound):
        await replay_dead_letter(pool, broker, dead_letter_id)
    with pytest.raises(DeadLetterNotFound):
        await discard_dead_letter(pool, dead_letter_id)
    assert (await load_dead_letter(pool, dead_letter_id)).resolution == "replayed"


async def test_discarded_letter_is_kept_and_never_replayed(open_brokers: Any, queue: str, pool: Any) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    dead_letter_id = await put_away(broker, queue, message(), pool)

    assert (await discard_dead_letter(pool, dead_letter_id)).resolution == "discarded"

    with pytest.raises(DeadLetterNotFound):
        await replay_dead_letter(pool, broker, dead_letter_id)
    assert await broker.receive(queue, count_max=10, lease_seconds=30) == []


async def test_unknown_letter_is_not_found(pool: Any) -> None:
    with pytest.raises(DeadLetterNotFound):
        await load_dead_letter(pool, uuid4())
