"""Reacting: one line of the table of who reacts to what, and what it does with a message, or with several at once.

Two kinds of handler. One takes ``conn``: its inbox row and its effect commit together, so it reacts exactly once; it
takes messages one by one, or all that share the transaction, with few statements for them all.
The other takes no transaction, talks to the outside, and is written so that doing it again changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.inbox import first_time, first_times
from fullhouse.infra.outbox import request_id
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.infra.tracing import below_this_span, processing

ConnHandler = Callable[[Connection, Message], Awaitable[object]]
"""Reacts inside the given transaction; never touches the network."""

TogetherHandler = Callable[[Connection, Sequence[Message]], Awaitable[object]]
"""The same, for messages of one organization, of which no two have one key."""

PoolHandler = Callable[[Message], Awaitable[object]]
"""Owns its transactions, may talk outside, and does nothing the second time."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One line of the table of who reacts to what: a queue, the types it wants, and exactly one of three handlers."""

    queue: str
    types: frozenset[str]
    part: str = field(default="consume", kw_only=True)
    """Which part of a worker has it: ``render`` where it is long work for the processor."""
    in_transaction: ConnHandler | None = field(default=None, kw_only=True)
    in_transaction_together: TogetherHandler | None = field(default=None, kw_only=True)
    outside: PoolHandler | None = field(default=None, kw_only=True)
    concurrency_max: int = field(default=4, kw_only=True)
    """How many hands one process has for the queue."""
    together_max: int = field(default=1, kw_only=True)
    """How many messages of one organization may share a transaction. Where they are taken one by one, more than one
    only if the handler locks nothing that a sale waits for: it stays locked until the last of them is done."""
    is_repeatable: bool = field(default=False, kw_only=True)
    """Whether unique keys of the effect itself stand against a repeat, so that it needs no inbox row."""
    announces: bool = field(default=True, kw_only=True)
    """Whether what it does is often announced to others, so that the relay is woken each time."""
    telling_seconds: float = field(default=0.0, kw_only=True)
    """How long the broker waits to be told what was done, so that it is told of more at once."""
    seconds_max: float = field(default=30.0, kw_only=True)
    """How long the handler may take for one message, or for those that share a transaction."""

    def __post_init__(self) -> None:
        """Refuse a line with no handler, or two, or one that cannot take several."""
        if [self.in_transaction, self.in_transaction_together, self.outside].count(None) != 2:
            raise ValueError(f"{self.queue}: a subscription has exactly one handler")
        if self.outside is not None and self.together_max != 1:
            raise ValueError(f"{self.queue}: only what happens in a transaction happens together")


async def react(pool: Pool, subscription: Subscription, body: Mapping[str, Json]) -> None:
    """Let the handler of a queue react to the body of one message, as it was published. Raises what it raises."""
    message = from_cloud_event(body)
    _work_for(message)
    with processing(subscription.queue, message):
        async with asyncio.timeout(subscription.seconds_max):
            await _react(pool, subscription, message)


async def _react(pool: Pool, subscription: Subscription, message: Message) -> None:
    if subscription.outside is not None:
        await subscription.outside(message)
        return
    async with transaction(pool, message.organization_id) as conn:
        if subscription.is_repeatable or await first_time(
            conn, message.organization_id, subscription.queue, str(message.message_id)
        ):
            if subscription.in_transaction is not None:
                await subscription.in_transaction(conn, message)
            elif subscription.in_transaction_together is not None:
                await subscription.in_transaction_together(conn, [below_this_span(message)])


async def react_together(
    pool: Pool, subscription: Subscription, bodies: Sequence[Mapping[str, Json]]
) -> Sequence[Message]:
    """React to messages of one organization in one transaction: all of them, or, if it raises, none. Returns them."""
    messages = [from_cloud_event(body) for body in bodies]
    async with asyncio.timeout(subscription.seconds_max), transaction(pool, messages[0].organization_id) as conn:
        new = messages if subscription.is_repeatable else await _new_ones(conn, subscription.queue, messages)
        if subscription.in_transaction_together is not None:
            await _all_at_once(conn, subscription.queue, subscription.in_transaction_together, new)
        elif subscription.in_transaction is not None:
            for message in new:
                _work_for(message)
                with processing(subscription.queue, message):
                    await subscription.in_transaction(conn, message)
        else:
            raise ValueError(f"{subscription.queue}: only what happens in a transaction happens together")
    return messages


async def _new_ones(conn: Connection, queue: str, messages: Sequence[Message]) -> Sequence[Message]:
    ids = {str(message.message_id): message for message in messages}
    new = await first_times(conn, messages[0].organization_id, queue, ids)
    return [message for message_id, message in ids.items() if message_id in new]


async def _all_at_once(conn: Connection, queue: str, handle: TogetherHandler, messages: Sequence[Message]) -> None:
    if messages:
        # What they cause is of no one request, unless they are one.
        request_id.set(messages[0].request_id if len(messages) == 1 else None)
        with ExitStack() as spans:
            processed: list[Message] = []
            for message in messages:
                spans.enter_context(processing(queue, message))
                processed.append(below_this_span(message))
            await handle(conn, processed)


def _work_for(message: Message) -> None:
    """Let what is written and logged from here on name the request that the message came from."""
    request_id.set(message.request_id)
    structlog.contextvars.bind_contextvars(type=message.type, request_id=message.request_id)
