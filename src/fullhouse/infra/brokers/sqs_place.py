"""Where SQS is, how queues are called there, and what is kept of a message that was received."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fullhouse.core.errors import Malformed
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.aws_client import AwsPlace, read_aws_url
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.port import Delivery
from fullhouse.infra.errors import OperatorError

RECEIVES_MAX = 1_000
"""The most that SQS allows. After that many, SQS itself moves a message to the dead-letter queue, without a reason."""

RETENTION_SECONDS = 14 * 24 * 3600
BODY_BYTES_MAX = 262_144
"""The most that every SQS takes, in one message and in all messages of one request."""

REQUEST_COUNT_MAX = 10
_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,20}")
_OPTIONS = frozenset({"prefix", "fifo", "tries"})


@dataclass(frozen=True, slots=True)
class SqsPlace:
    """What ``sqs://region?prefix=…&fifo=on|off&tries=…&endpoint=…`` says."""

    aws: AwsPlace
    prefix: str
    fifo: bool
    receives_max: int

    def name_of(self, queue: str) -> str:
        """Return what a queue of ours is called in SQS: ``fullhouse-tickets-issue.fifo``."""
        return self._named(queue)

    def dead_name_of(self, queue: str) -> str:
        """Return the name of its dead-letter queue."""
        return self._named(f"{queue}-dead")

    def queue_attributes(self) -> dict[str, str]:
        """Return what a queue is made with. A FIFO queue orders and repeats per key, which is also what is fastest."""
        attributes = {
            "MessageRetentionPeriod": str(RETENTION_SECONDS),
            "MaximumMessageSize": str(BODY_BYTES_MAX),
            "SqsManagedSseEnabled": "true",
        }
        if self.fifo:
            attributes |= {
                "FifoQueue": "true",
                "DeduplicationScope": "messageGroup",
                "FifoThroughputLimit": "perMessageGroupId",
            }
        return attributes

    def feedback_name(self) -> str:
        """Return the name of the standard queue in which SES tells, through SNS, what did not arrive."""
        return f"{self.prefix}-mail-feedback".lstrip("-")

    def _named(self, queue: str) -> str:
        name = f"{self.prefix}-{queue}".lstrip("-").replace(".", "-")
        return f"{name}.fifo" if self.fifo else name


def read_sqs_url(url: str) -> SqsPlace:
    """Read the URL of the broker. Raises ``OperatorError`` with one sentence."""
    aws, options = read_aws_url(urlsplit(url), "FULLHOUSE_BROKER_URL", _OPTIONS)
    prefix, fifo, tries = options.get("prefix", "fullhouse"), options.get("fifo", "on"), options.get("tries")
    if not _PREFIX.fullmatch(prefix):
        raise OperatorError("FULLHOUSE_BROKER_URL: prefix has at most 20 of A-Z a-z 0-9 _ -")
    if fifo not in {"on", "off"}:
        raise OperatorError(f"FULLHOUSE_BROKER_URL: fifo is on or off, not {fifo}")
    if tries is not None and not (tries.isdecimal() and 1 <= int(tries) <= RECEIVES_MAX):
        raise OperatorError(f"FULLHOUSE_BROKER_URL: tries is 1 to {RECEIVES_MAX}, not {tries}")
    return SqsPlace(aws, prefix, fifo == "on", int(tries) if tries else RECEIVES_MAX)


@dataclass(slots=True)
class Lent:
    """A message that SQS has lent to this process."""

    sqs_id: str
    handle: str
    body: Mapping[str, Json]
    message: Message
    receive_count: int
    until: float
    """When the loan ends, in the time of the event loop."""

    def delivery(self, queue: str, spared: int) -> Delivery:
        """Hand it to a consumer. Loans that ended before anybody had it in hand are not tries."""
        return Delivery(
            queue=queue,
            body=self.body,
            organization_id=self.message.organization_id,
            message_id=self.message.message_id,
            key=self.message.key,
            attempts=max(1, self.receive_count - spared),
            receipt=(self.handle,),
        )


def read_received(answer: Mapping[str, Any], until: float) -> Lent:
    """Read a message as SQS hands it out. Raises ``Malformed`` for one that is not ours."""
    try:
        body = json.loads(answer["Body"])
    except ValueError as wrong:
        raise Malformed("The body is no JSON.") from wrong
    return Lent(
        sqs_id=answer["MessageId"],
        handle=answer["ReceiptHandle"],
        body=body,
        message=from_cloud_event(body),
        receive_count=int(answer["Attributes"]["ApproximateReceiveCount"]),
        until=until,
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A message on its way into a queue."""

    key: str
    body: str
    once: str
    """What a FIFO queue takes once within five minutes."""

    def entry(self, *, ordered: bool) -> dict[str, str]:
        """Write it as an entry of a request."""
        entry = {"Id": self.once, "MessageBody": self.body}
        if ordered:
            entry |= {"MessageGroupId": self.key, "MessageDeduplicationId": self.once}
        return entry


def requests_of(messages: Sequence[Sent]) -> list[list[Sent]]:
    """Divide messages into requests of at most ten, 256 KiB, and one message of a key each.

    A request may succeed for some and fail for others: were two of one key in it, the later could get in first.
    """
    requests: list[list[Sent]] = []
    sizes: list[int] = []
    next_of_key: dict[str, int] = {}
    open_from = 0
    for message in messages:
        size = len(message.body)
        at = max(next_of_key.get(message.key, 0), open_from)
        while at < len(requests) and (len(requests[at]) == REQUEST_COUNT_MAX or sizes[at] + size > BODY_BYTES_MAX):
            at += 1
        if at == len(requests):
            requests.append([])
            sizes.append(0)
        requests[at].append(message)
        sizes[at] += size
        next_of_key[message.key] = at + 1
        while open_from < len(requests) and len(requests[open_from]) == REQUEST_COUNT_MAX:
            open_from += 1
    return requests
