"""A house in AWS, on loopback: its queues, bucket and mails in ministack, its database in Postgres."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fullhouse.infra.brokers.sqs_place import SqsPlace, read_sqs_url
from fullhouse.workers.subscriptions import QUEUES
from harness.aws import CREDENTIALS, endpoint_of, mails_at
from harness.lambda_runtime import LambdaFunction
from harness.stock import SERVER_KEY


@dataclass
class House:
    """One installation: what its functions are told, and what a test looks into."""

    broker_url: str
    bucket: str
    sqs: Any
    pool: Any
    database_url: str

    @property
    def place(self) -> SqsPlace:
        return read_sqs_url(self.broker_url)

    def settings(self, **changes: str) -> dict[str, str]:
        """Return the variables of a function, as its deployment sets them."""
        endpoint = endpoint_of(self.broker_url)
        settings = {
            **CREDENTIALS,
            "FULLHOUSE_DATABASE_URL": self.database_url,
            "FULLHOUSE_SECRET_KEY": SERVER_KEY.decode(),
            "FULLHOUSE_BROKER_URL": self.broker_url,
            "FULLHOUSE_OBJECT_STORE_URL": f"s3://{self.bucket}?region=us-east-1&endpoint={endpoint}",
            "FULLHOUSE_MAIL_URL": f"ses://us-east-1?endpoint={endpoint}",
            "FULLHOUSE_PUBLIC_URL": "https://tickets.example",
            "FULLHOUSE_SIMULATED_PAYMENTS": "on",
        }
        return {**settings, **changes}

    async def queue_url(self, name: str) -> str:
        return (await self.sqs.get_queue_url(QueueName=name))["QueueUrl"]

    def mails_about(self, order_id: object) -> list[dict[str, Any]]:
        return [mail for mail in mails_at(self.broker_url) if f"/orders/{order_id}/" in mail["BodyText"]]


class Lambda:
    """Plays the part of Lambda's poller: takes batches from the queues, and deletes what did not fail."""

    def __init__(self, house: House, processor: LambdaFunction) -> None:
        self.house = house
        self.processor = processor

    async def pump(self) -> None:
        """Work until all queues are empty."""
        while sum([await self.poll(queue) for queue in QUEUES]):
            pass

    async def poll(self, queue: str) -> int:
        name = self.house.place.name_of(queue)
        url = await self.house.queue_url(name)
        answer = await self.house.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if messages:
            failed = self.processor.call({"Records": [record(name, one) for one in messages]})["batchItemFailures"]
            ids = {one["itemIdentifier"] for one in failed}
            for one in messages:
                if one["MessageId"] in ids:
                    handle = one["ReceiptHandle"]
                    await self.house.sqs.change_message_visibility(
                        QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0
                    )
                else:
                    await self.house.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return len(messages)


def record(queue_name: str, message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue_name}",
        "awsRegion": "us-east-1",
    }
