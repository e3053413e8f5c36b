"""A message survives being written as a CloudEvent; what is none is refused."""

import re
from typing import Any

import pytest
from harness.messages import message

from fullhouse.infra.brokers.cloud_events import NotOurCloudEvent, from_cloud_event, to_cloud_event


def test_message_is_written_and_read_back() -> None:
    sent = message(number=1)
    event = to_cloud_event(sent)
    assert from_cloud_event(event) == sent
    assert event == {
        "specversion": "1.0",
        "id": str(sent.message_id),
        "source": "/fullhouse",
        "type": "thing.happened.v1",
        "time": "2026-03-01T12:00:00.000001Z",
        "subject": str(sent.key),
        "datacontenttype": "application/json",
        "dataschema": "urn:fullhouse:message:thing.happened:v1",
        "organizationid": str(sent.organization_id),
        "partitionkey": str(sent.key),
        "requestid": "request-1",
        "data": {"number": 1},
    }


def test_names_of_attributes_are_those_that_the_specification_allows() -> None:
    event = to_cloud_event(message())
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in event)
    assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", str(event["dataschema"]))


def test_event_of_before_it_named_its_subject_and_schema_is_read() -> None:
    sent = message()
    event = to_cloud_event(sent)
    del event["subject"], event["dataschema"]
    assert from_cloud_event(event) == sent


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
