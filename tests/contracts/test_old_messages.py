"""Whatever was once sent, in any version, today's consumers can still read: samples of all are given to them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from harness.contract import kept_schemas
from harness.messages import message
from harness.worker import SETTINGS, resources_on

from fullhouse.core.errors import DomainError, Kind
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.postgres import Connection, transaction
from fullhouse.workers.react import Subscription
from fullhouse.workers.subscriptions import QUEUES
from fullhouse.workers.work import work_of

SENT_AND_WANTED = sorted(
    (name, queue, number)
    for queue, types in QUEUES.items()
    for name in kept_schemas()
    if name.rpartition(".v")[0] in types
    for number in range(len(kept_schemas()[name]["examples"]))
)


class Watched(Mapping[str, Any]):
    """Data that remembers which fields somebody asked for."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return self.data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


def test_every_queue_has_samples() -> None:
    assert {queue for _, queue, _ in SENT_AND_WANTED} == set(QUEUES)


@pytest.mark.parametrize(("name", "queue", "number"), SENT_AND_WANTED)
async def test_consumer_reads_what_was_once_sent_and_relies_only_on_what_is_always_there(
    name: str, queue: str, number: int, module_pool: Any, valkey: Any, module_database: str, tmp_path: Path
) -> None:
    type_, _, version = name.rpartition(".v")
    schema = kept_schemas()[name]
    data = Watched(schema["examples"][number])
    work = work_of(resources_on(module_pool, valkey, module_database, tmp_path), SETTINGS)
    subscription = next(one for one in work.subscriptions if one.queue == queue)
    event = {**to_cloud_event(message(type_=type_, **data.data)), "type": f"{type_}.v{version}"}
    read = from_cloud_event({**event, "data": data})

    # Nothing of what the sample names is in this database, so a consumer either does nothing or says that it is gone.
    try:
        async with transaction(module_pool, read.organization_id) as conn:
            await react(subscription, conn, read)
    except DomainError as error:
        assert error.kind is Kind.NOT_FOUND  # noqa: PT017 (doing nothing is as good)

    assert read.version == int(version)
    assert data.asked <= set(schema["required"])


async def react(subscription: Subscription, conn: Connection, read: Any) -> None:
    if subscription.in_transaction is not None:
        await subscription.in_transaction(conn, read)
    elif subscription.in_transaction_together is not None:
        await subscription.in_transaction_together(conn, [read])
    elif subscription.outside is not None:
        await subscription.outside(read)
