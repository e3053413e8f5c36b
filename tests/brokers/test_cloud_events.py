"""A message survives being written as a CloudEvent; what is none is refused."""

from typing import Any

import pytest
from harness.messages import message

from fullhouse.infra.brokers.cloud_events import NotOurCloudEvent, from_cloud_event, to_cloud_event


def test_message_is_written_and_read_back() -> None:
    sent = message(number=1)
    event = to_cloud_event(sent)
    assert from_cloud_event(event) == sent
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "datacontenttype")} == {
        "specversion": "1.0",
        "id": str(sent.message_id),
        "source": "/fullhouse",
        "type": "thing.happened.v1",
        "datacontenttype": "application/json",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "0.3"},
        {"type": "thing.happened"},
        {"type": "thing.happened.vx"},
        {"type": 7},
        {"id": "no uuid"},
        {"partitionkey": None},
        {"organizationid": ["x"]},
        {"data": "text"},
    ],
)
def test_what_is_no_message_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotOurCloudEvent):
        from_cloud_event({**to_cloud_event(message()), **wrong})


@pytest.mark.parametrize("missing", ["specversion", "type", "id", "partitionkey", "organizationid", "data", "time"])
def test_message_without_a_part_is_refused(missing: str) -> None:
    event = to_cloud_event(message())
    del event[missing]
    with pytest.raises(NotOurCloudEvent):
        from_cloud_event(event)
