"""A house in AWS, on loopback: its queues, bucket and mails in ministack, its database in Postgres."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from harness.aws import client_of, running_ministack
from harness.house import House
from harness.sale import Sale, make_sale
from yarl import URL

from fullhouse.infra.brokers.sqs import open_broker
from fullhouse.infra.system import make_id
from fullhouse.workers.subscriptions import QUEUES


@pytest.fixture(scope="package")
def ministack() -> Iterator[str]:
    with running_ministack() as url:
        yield url


@pytest.fixture
async def house(ministack: str, fresh_pool: Any, fresh_database: str) -> AsyncIterator[House]:
    """Make a house of its own: queues with three tries, and a bucket."""
    name = f"h{uuid4().hex[:10]}"
    url = str(URL(ministack).update_query(prefix=name, tries="3"))
    broker = open_broker(url, pool=fresh_pool, database_url="", make_id=make_id)
    try:
        await broker.declare(QUEUES)
        await broker.depth()  # makes the queues
    finally:
        await broker.close()
    async with client_of(url, "s3") as s3, client_of(url, "sqs") as sqs:
        await s3.create_bucket(Bucket=name)
        yield House(url, name, sqs, fresh_pool, fresh_database)


@pytest.fixture
async def sale(house: House) -> AsyncIterator[Sale]:
    made = await make_sale(house.pool)
    yield made
    await made.office.close()
