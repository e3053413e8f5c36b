"""The AsyncAPI document is served, whole and true: every message that is sent fits it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from harness.contract import FOLDER
from harness.messages import message
from harness.web import client_of, running_app
from harness.worker import resources_on

from fullhouse.core.message import Message
from fullhouse.core.message_schema import name_of
from fullhouse.facts import FACTS, PUBLISHED, SENT_TO_ENDPOINTS
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.web.asyncapi import build_asyncapi


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        found = [node["$ref"]] if "$ref" in node else []
        return found + [one for value in node.values() for one in references(value)]
    return [one for value in node for one in references(value)] if isinstance(node, list) else []


def resolved(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def payload_schema(document: Any, name: str) -> Any:
    return {**document["components"]["messages"][name]["payload"], "components": document["components"]}


def test_kept_document_is_that_of_the_code_and_whole() -> None:
    document = build_asyncapi()
    assert json.loads((FOLDER / "asyncapi.json").read_text()) == document
    assert document["asyncapi"] == "3.0.0"
    assert set(document["components"]["messages"]) == {name_of(fact) for fact in PUBLISHED}
    for channel, operation, facts in (
        ("messages", "announce", FACTS),
        ("webhooks", "callEndpoint", SENT_TO_ENDPOINTS),
    ):
        assert set(document["channels"][channel]["messages"]) == {name_of(fact) for fact in facts}
        assert len(document["operations"][operation]["messages"]) == len(facts)
    assert all(resolved(document, reference) for reference in references(document))


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    """AsyncAPI's own schema of a 3.0.0 document, as the package @asyncapi/specs 6.11.1 has it (Apache-2.0)."""
    schema = json.loads((Path(__file__).parent / "asyncapi-3.0.0.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_document_is_what_the_official_schema_wants(official: jsonschema.Draft7Validator) -> None:
    document: Any = build_asyncapi()
    assert [error.message for error in official.iter_errors(document)] == []
    for spoilt in (
        {**document, "asyncapi": "2.6.0"},
        {**document, "channels": []},
        {**document, "operations": {"announce": {**document["operations"]["announce"], "action": "publish"}}},
        {name: value for name, value in document.items() if name != "info"},
        {**document, "topics": {}},
    ):
        assert not official.is_valid(spoilt)


def test_samples_fit_as_whole_cloud_events() -> None:
    document = build_asyncapi()
    for fact in PUBLISHED:
        name = f"{fact.type}.v{fact.version}"
        sample = document["components"]["messages"][name]["examples"][0]["payload"]["data"]
        event = to_cloud_event(a_message(fact.type, sample))
        schema = payload_schema(document, name)
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(event)
        assert not jsonschema.Draft202012Validator(schema).is_valid({**event, "data": {}})
        assert not jsonschema.Draft202012Validator(schema).is_valid({**event, "type": "other.v1"})


def a_message(type_: str, data: Any) -> Message:

    return message(type_=type_, **data)


async def test_document_is_served_to_anyone_and_kept_by_clients(pool: Any, valkey: Any, tmp_path: Any) -> None:

    async with running_app(resources_on(pool, valkey, "", tmp_path)) as app, client_of(app) as client:
        answer = await client.get("/asyncapi.json")
        again = await client.get("/asyncapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == build_asyncapi()
    assert (again.status_code, again.content) == (304, b"")
