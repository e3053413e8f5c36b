"""Enqueuing: one delivery for each endpoint that chose the message's type."""

import json
from collections.abc import Sequence

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.writes import insert_deliveries, lock_choosing

_KEPT_HERE = frozenset({"requestid", "traceparent"})


async def enqueue_deliveries(conn: Connection, make_id: MakeId, messages: Sequence[Message]) -> int:
    """Enter what messages of one organization are to be sent to; return how many deliveries are new.

    A repeat enters nothing. Two statements for all of them, or one where nobody chose their types.
    """
    whose = messages[0].organization_id
    endpoints = await lock_choosing(conn, whose, {message.type for message in messages})
    wanted = [message for message in messages if any(message.type in endpoint.types for endpoint in endpoints)]
    if not wanted:
        return 0
    entries = [
        (number, endpoint.endpoint_id, make_id(), endpoint.is_enabled)
        for number, message in enumerate(wanted, 1)
        for endpoint in endpoints
        if message.type in endpoint.types
    ]
    bodies = [(message.message_id, message.type, write_body(message)) for message in wanted]
    return await insert_deliveries(conn, whose, bodies, entries)


def write_body(message: Message) -> str:
    """Write the CloudEvent that receivers get.

    The ids of request and trace stay here: whoever asked may have chosen them.
    """
    event = {name: value for name, value in to_cloud_event(message).items() if name not in _KEPT_HERE}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
