"""The payment processor: reacts to messages that Lambda takes from SQS.

A provider's notice is settled, so that the order is paid and its places are sold; then tickets are issued, rendered,
stored in S3 and mailed through SES, which tells here as well which mails did not arrive. Each step is a message of its
own and reacts to it with the same function as the worker, so any of them may fail and come again alone. What a step
announces is sent on before the call ends.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fullhouse.aws.batch import Received, divide, lines_of, read_batch
from fullhouse.aws.instance import CONNECTIONS_MAX, Context, Instance, seconds_left
from fullhouse.core.errors import DomainError
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.dead_letters import put_away
from fullhouse.infra.brokers.port import Delivery
from fullhouse.infra.brokers.sqs_place import read_sqs_url
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.outbox_leases import prepare_leases
from fullhouse.infra.postgres import EVERY_ORGANIZATION, connection
from fullhouse.infra.resources import Resources
from fullhouse.infra.telemetry import get_log
from fullhouse.settings import Settings
from fullhouse.workers.errors import Verdict, judge
from fullhouse.workers.react import react
from fullhouse.workers.receive_feedback import note_told
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.run import Work
from fullhouse.workers.work import tables_of

SQS = "sqs"
LINES_AT_ONCE = CONNECTIONS_MAX
_log = get_log("fullhouse.aws.payment_processor")


class Processor:
    """Reacts to batches, as many lines at once as there are connections."""

    def __init__(self, resources: Resources, work: Work, queues: Mapping[str, str], feedback_queue: str) -> None:
        """``queues`` has our name of each queue by that in SQS; in ``feedback_queue`` SES tells of mails."""
        self._resources = resources
        self._subscriptions = {subscription.queue: subscription for subscription in work.subscriptions}
        self._queues = queues
        self._feedback_queue = feedback_queue
        self._sender = Sender(resources, work)

    async def process(self, event: Mapping[str, Any], left: Callable[[], float]) -> list[str]:
        """React to each message, and return the ids of those that are to come again.

        In a FIFO batch everything after the first failure fails, untried. What can never succeed is put away among the
        dead letters with its reason, and does not come again.
        """
        places = asyncio.Semaphore(LINES_AT_ONCE)
        told, records = divide(event["Records"], self._feedback_queue)
        lines = lines_of(read_batch(records, self._queues))
        failed = await asyncio.gather(
            *(self._process_line(line, left, places) for line in lines),
            *(self._note_feedback(record, places) for record in told),
        )
        await self._sender.send_due(left())
        return [sqs_id for ids in failed for sqs_id in ids]

    async def _note_feedback(self, record: Mapping[str, Any], places: asyncio.Semaphore) -> list[str]:
        async with places:
            try:
                noted = await note_told(self._resources.pool, str(record["body"]))
            except DomainError as away:
                _log.warning("feedback_waits", reason=away.detail)
                noted = False
        return [] if noted else [str(record["messageId"])]

    async def _process_line(
        self, line: list[Received], left: Callable[[], float], places: asyncio.Semaphore
    ) -> list[str]:
        async with places:
            for done, received in enumerate(line):
                if not await self._process_one(received, left()):
                    return [one.sqs_id for one in line[done:]]
        return []

    async def _process_one(self, received: Received, seconds: float) -> bool:
        if received.delivery is None:
            _log.error("not_our_message", sqs_id=received.sqs_id, error=received.problem)
            return False
        try:
            async with asyncio.timeout(seconds):
                await react(self._resources.pool, self._subscriptions[received.delivery.queue], received.delivery.body)
        except Exception as error:  # noqa: BLE001 (whatever a handler raises becomes a verdict)
            return await self._settle_failure(received.delivery, error)
        return True

    async def _settle_failure(self, delivery: Delivery, error: Exception) -> bool:
        failure = judge(error, delivery.attempts)
        known = isinstance(error, DomainError)
        if failure.verdict is Verdict.RETRY:
            _log.warning("message_failed", reason=failure.reason, attempts=delivery.attempts, exc_info=not known)
            return False
        _log.error("message_dead_lettered", reason=failure.reason, attempts=delivery.attempts, exc_info=not known)
        try:
            await put_away(self._resources.pool, self._resources.make_id, delivery, failure.reason)
        except DomainError as lost:
            _log.warning("message_failed", reason=str(lost), attempts=delivery.attempts)
            return False
        return True


class Sender:
    """Sends what waits in the outbox. What it does not come to is sent by the next call, the clean-up or a worker."""

    def __init__(self, resources: Resources, work: Work) -> None:
        """Connect when something is to be sent."""
        self._pool = resources.pool
        self._queues = work.queues()
        self._broker = open_broker(
            resources.broker_url,
            pool=resources.pool,
            database_url=resources.database_url,
            make_id=resources.make_id,
        )
        self._relay = Relay(resources.pool, self._broker, resources.make_id, resources.randomness)
        self._is_prepared = False

    async def send_due(self, seconds: float) -> int:
        """Send what is due, for so long at most; return how much that was, 0 if it failed."""
        try:
            async with asyncio.timeout(seconds):
                if not self._is_prepared:
                    await self._broker.declare(self._queues)
                    async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                        await prepare_leases(conn)
                    self._is_prepared = True
                return await self._relay.send_due()
        except (DomainError, TimeoutError) as error:
            _log.warning("not_sent", reason=str(error) or type(error).__name__)
            return 0


def make_processor(resources: Resources, settings: Settings) -> Processor:
    """Put the processor of one instance together. Raises ``OperatorError`` if the broker is another than SQS."""
    if not resources.broker_url.startswith(f"{SQS}:"):
        raise OperatorError("FULLHOUSE_BROKER_URL: the payment processor takes its messages from SQS; write sqs://…")
    work = tables_of(resources, settings)
    place = read_sqs_url(resources.broker_url)
    queues = {place.name_of(queue): queue for queue in work.queues()}
    return Processor(resources, work, queues, place.feedback_name())


_instance = Instance("payment-processor", make_processor)


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Answer Lambda with the messages of the batch that failed (``ReportBatchItemFailures``)."""
    failed = _instance.call(lambda processor: processor.process(event, lambda: seconds_left(context)))
    return {"batchItemFailures": [{"itemIdentifier": sqs_id} for sqs_id in failed]}
