"""The calls of SQS that the broker makes, with errors in the words of the port."""

import asyncio
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, NoReturn

from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError

from fullhouse.infra.aws_client import error_code, open_client
from fullhouse.infra.brokers.port import BrokerUnavailable, MessageRefused
from fullhouse.infra.brokers.sqs_age import oldest_seconds
from fullhouse.infra.brokers.sqs_place import REQUEST_COUNT_MAX, SqsPlace
from fullhouse.infra.system import now

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_LOST = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
"""What SQS says of a handle whose loan has ended."""


class SqsCalls:
    """Clients that are opened when they are first needed. Every call raises ``BrokerUnavailable``."""

    def __init__(self, place: SqsPlace) -> None:
        """Keep where SQS is; nothing is asked of it yet."""
        self._place = place
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()

    async def queue_url(self, queue: str) -> str:
        """Return the address of a queue. One that is missing is made, with a dead-letter queue beside it."""
        sqs = await self._client("sqs")
        with _broker_errors():
            try:
                return (await sqs.get_queue_url(QueueName=self._place.name_of(queue)))["QueueUrl"]
            except sqs.exceptions.QueueDoesNotExist:
                return await _make_queue(sqs, self._place, queue)

    async def send(self, url: str, entries: Sequence[Mapping[str, str]]) -> None:
        """Send up to ten messages. Raises ``MessageRefused`` if one of them can never be taken."""
        sqs = await self._client("sqs")
        with _broker_errors():
            answer = await sqs.send_message_batch(QueueUrl=url, Entries=entries)
        _raise_failed(answer.get("Failed", ()))

    async def receive(
        self, url: str, *, count_max: int, lease_seconds: int, wait_seconds: int
    ) -> Sequence[Mapping[str, Any]]:
        """Take up to ten messages on loan."""
        sqs = await self._client("sqs")
        with _broker_errors():
            answer = await sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(count_max, REQUEST_COUNT_MAX),
                VisibilityTimeout=lease_seconds,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return answer.get("Messages", ())

    async def lend(self, url: str, handle: str, seconds: int) -> bool:
        """Let a loan last that long from now; False if it has ended, so that it may be somebody else's by now."""
        sqs = await self._client("sqs")
        try:
            with _broker_errors(lost_is_no_error=True):
                await sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=seconds)
        except _LoanLost:
            return False
        return True

    async def delete(self, url: str, handles: Sequence[str]) -> None:
        """Delete up to ten messages that are on loan; those whose loan has ended stay."""
        sqs = await self._client("sqs")
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        with _broker_errors():
            answer = await sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        _raise_failed([one for one in answer.get("Failed", ()) if one["Code"] not in _LOST])

    async def count(self, url: str) -> int:
        """Return how many messages a queue has: waiting, on loan and delayed. SQS says approximately."""
        sqs = await self._client("sqs")
        with _broker_errors():
            answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)

    async def oldest_seconds(self, queue: str) -> float | None:
        """Return the age of the oldest message, as CloudWatch has it."""
        watch = await self._client("cloudwatch")
        with _broker_errors():
            return await oldest_seconds(watch, self._place.name_of(queue), now())

    async def close(self) -> None:
        """Close the connections."""
        self._clients.clear()
        await self._stack.aclose()

    async def _client(self, service: str) -> Any:  # noqa: ANN401 (made at run time)
        async with self._opening:
            if service not in self._clients:
                self._clients[service] = await open_client(self._stack, service, self._place.aws)
        return self._clients[service]


class _LoanLost(Exception):
    """SQS knows no such loan any more."""


@contextmanager
def _broker_errors(*, lost_is_no_error: bool = False) -> Generator[None]:
    try:
        yield
    except ClientError as refused:
        if lost_is_no_error and error_code(refused) in _LOST:
            raise _LoanLost from refused
        raise BrokerUnavailable(str(refused), retry_after_seconds=1) from refused
    except (BotoCoreError, HttpError, OSError, TimeoutError) as lost:
        raise BrokerUnavailable(str(lost) or type(lost).__name__, retry_after_seconds=1) from lost


async def _make_queue(sqs: Any, place: SqsPlace, queue: str) -> str:  # noqa: ANN401 (made at run time)
    attributes = place.queue_attributes()
    dead = await sqs.create_queue(QueueName=place.dead_name_of(queue), Attributes=attributes)
    arn = await sqs.get_queue_attributes(QueueUrl=dead["QueueUrl"], AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": place.receives_max}
    made = await sqs.create_queue(
        QueueName=place.name_of(queue), Attributes={**attributes, "RedrivePolicy": json.dumps(redrive)}
    )
    return made["QueueUrl"]


def _raise_failed(failed: Sequence[Mapping[str, Any]]) -> None:
    """Raise for the entries of a request that were not taken: one that is wrong in itself goes before the others."""
    for entry in sorted(failed, key=lambda entry: not entry.get("SenderFault")):
        _raise_entry(entry)


def _raise_entry(entry: Mapping[str, Any]) -> NoReturn:
    text = f"{entry.get('Code', '')}: {entry.get('Message', '')}"
    if entry.get("SenderFault"):
        raise MessageRefused(text)
    raise BrokerUnavailable(text, retry_after_seconds=1)
