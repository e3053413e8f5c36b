"""How a message looks on a broker: a CloudEvent 1.0 in its JSON format.

``type`` carries the version (``order.paid.v1``) and ``dataschema`` names its schema; ``subject`` is the thing that
the fact is about; ``partitionkey`` and ``traceparent`` are the extensions of these names; ``organizationid`` and
``requestid`` are our own.
"""

from collections.abc import Mapping
from typing import cast
from uuid import UUID

from fullhouse.core.errors import Malformed
from fullhouse.core.json import Json
from fullhouse.core.message import Message

SOURCE = "/fullhouse"
MEDIA_TYPE = "application/cloudevents+json"


class NotOurCloudEvent(Malformed):
    """A body lacks what every message has."""

    code = "not_our_cloud_event"
    title = "This is not a message of Fullhouse."


def to_cloud_event(message: Message) -> dict[str, Json]:
    """Write a message as a CloudEvent."""
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": str(message.message_id),
        "source": SOURCE,
        "type": f"{message.type}.v{message.version}",
        "time": message.occurred_at,
        "subject": str(message.key),
        "datacontenttype": "application/json",
        "dataschema": schema_uri(message.type, message.version),
        "organizationid": str(message.organization_id),
        "partitionkey": str(message.key),
        "data": dict(message.data),
    }
    if message.request_id is not None:
        event["requestid"] = message.request_id
    if message.traceparent is not None:
        event["traceparent"] = message.traceparent
    return event


def schema_uri(message_type: str, version: int) -> str:
    """Name the schema of a message's data: the ``$id`` under which it is published."""
    return f"urn:fullhouse:message:{message_type}:v{version}"


def from_cloud_event(event: Mapping[str, Json]) -> Message:
    """Read a message back. Raises ``NotOurCloudEvent``."""
    try:
        name, _, version = cast("str", event["type"]).rpartition(".v")
        data = event["data"]
        if event["specversion"] != "1.0" or not name or not isinstance(data, Mapping):
            raise NotOurCloudEvent
        request_id, traceparent = event.get("requestid"), event.get("traceparent")
        return Message(
            organization_id=UUID(cast("str", event["organizationid"])),
            message_id=UUID(cast("str", event["id"])),
            type=name,
            version=int(version),
            key=UUID(cast("str", event["partitionkey"])),
            data=data,
            request_id=request_id if isinstance(request_id, str) else None,
            occurred_at=cast("str", event["time"]),
            traceparent=traceparent if isinstance(traceparent, str) else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as wrong:
        raise NotOurCloudEvent from wrong
