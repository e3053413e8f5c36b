"""The queue of SQS into which SNS puts what SES tells of mails that did not arrive."""

from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fullhouse.infra.aws_client import AwsPlace, open_client, read_aws_url
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mail_port import MailUnavailable

WAIT_SECONDS = 5
COUNT_MAX = 10
LEASE_SECONDS = 60
_WHAT = "FULLHOUSE_MAIL_FEEDBACK_URL"


@dataclass(frozen=True, slots=True)
class Told:
    """One event, as it came, and the handle with which it is deleted."""

    body: str
    handle: str


class FeedbackQueue:
    """Takes events on loan; what is not deleted within a minute comes again, until the queue puts it away."""

    def __init__(self, place: AwsPlace, name: str) -> None:
        """Keep where it is; nothing is asked of it yet."""
        self._place = place
        self._name = name
        self._stack = AsyncExitStack()
        self._sqs: Any = None
        self._url = ""

    async def receive(self) -> Sequence[Told]:
        """Wait for events for some seconds, and return up to ten. Raises ``MailUnavailable``."""
        with _sqs_errors():
            sqs = await self._open()
            answer = await sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=COUNT_MAX,
                VisibilityTimeout=LEASE_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
            )
        return [Told(one["Body"], one["ReceiptHandle"]) for one in answer.get("Messages", ())]

    async def delete(self, told: Told) -> None:
        """Strike an event off. Raises ``MailUnavailable``."""
        with _sqs_errors():
            sqs = await self._open()
            await sqs.delete_message(QueueUrl=self._url, ReceiptHandle=told.handle)

    async def close(self) -> None:
        """Close the connection."""
        self._sqs = None
        await self._stack.aclose()

    async def _open(self) -> Any:  # noqa: ANN401 (made at run time)
        if self._sqs is None:
            sqs = await open_client(self._stack, "sqs", self._place)
            self._url = (await sqs.get_queue_url(QueueName=self._name))["QueueUrl"]
            self._sqs = sqs
        return self._sqs


def open_feedback_queue(url: str) -> FeedbackQueue:
    """Return the queue of ``sqs://region?queue=NAME&endpoint=…``. Raises ``OperatorError``."""
    place, options = read_aws_url(urlsplit(url), _WHAT, frozenset({"queue"}))
    if not options.get("queue"):
        raise OperatorError(f"{_WHAT}: write sqs://REGION?queue=NAME")
    return FeedbackQueue(place, options["queue"])


@contextmanager
def _sqs_errors() -> Generator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (an extra)

    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError) as lost:
        raise MailUnavailable(str(lost)[:300], retry_after_seconds=5) from lost
