"""Enqueuing: one delivery for each endpoint that chose the message's type."""

import json

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.rules import ENDPOINTS_MAX
from fullhouse.webhooks.writes import insert_deliveries

_KEPT_HERE = frozenset({"requestid", "traceparent"})


async def enqueue_deliveries(conn: Connection, make_id: MakeId, message: Message) -> int:
    """Enter what a message is to be sent to; return how many deliveries are new. A repeat enters nothing."""
    ids = [make_id() for _ in range(ENDPOINTS_MAX)]
    return await insert_deliveries(
        conn, message.organization_id, message.message_id, message.type, write_body(message), ids
    )


def write_body(message: Message) -> str:
    """Write the CloudEvent that receivers get.

    The ids of request and trace stay here: whoever asked may have chosen them.
    """
    event = {name: value for name, value in to_cloud_event(message).items() if name not in _KEPT_HERE}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
