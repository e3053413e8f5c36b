"""A batch of SQS as Lambda hands it over, and which of its messages wait for each other. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fullhouse.core.errors import Malformed
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.port import Delivery

_FIFO = ".fifo"


class QueueUnknown(Exception):
    """An event source is mapped to this function that it does not know."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message: how Lambda names it, and what is in it, unless it cannot be read."""

    sqs_id: str
    line: str
    """Messages of one line are handled one after the other: all of a FIFO queue, whose order SQS then keeps."""
    delivery: Delivery | None
    problem: str = ""


def read_batch(records: Sequence[Mapping[str, Any]], queues: Mapping[str, str]) -> list[Received]:
    """Read the records of an event. ``queues`` has our name of each queue by that in SQS. Raises ``QueueUnknown``."""
    return [_read(record, queues) for record in records]


def divide(records: Sequence[Mapping[str, Any]], name: str) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the records of one queue, and the others."""
    of_it = [record for record in records if _queue_of(record) == name]
    return of_it, [record for record in records if _queue_of(record) != name]


def lines_of(batch: Sequence[Received]) -> list[list[Received]]:
    """Divide a batch into lines, each in the order of the batch."""
    lines: dict[str, list[Received]] = {}
    for received in batch:
        lines.setdefault(received.line, []).append(received)
    return list(lines.values())


def _read(record: Mapping[str, Any], queues: Mapping[str, str]) -> Received:
    sqs_id, name = str(record["messageId"]), _queue_of(record)
    if name not in queues:
        raise QueueUnknown(f"the queue {name} is mapped to this function, which knows {', '.join(sorted(queues))}")
    line = name if name.endswith(_FIFO) else f"{name} {sqs_id}"
    try:
        body: Any = json.loads(record["body"])
        message = from_cloud_event(body)
    except (ValueError, Malformed) as wrong:
        return Received(sqs_id, line, None, str(wrong))
    return Received(
        sqs_id,
        line,
        Delivery(
            queue=queues[name],
            body=body,
            organization_id=message.organization_id,
            message_id=message.message_id,
            key=message.key,
            attempts=int(record["attributes"]["ApproximateReceiveCount"]),
            receipt=(record.get("receiptHandle", ""),),
        ),
    )


def _queue_of(record: Mapping[str, Any]) -> str:
    return str(record["eventSourceARN"]).rpartition(":")[2]
