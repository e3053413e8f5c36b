"""The AsyncAPI document: what Fullhouse sends, made from the types of its messages."""

from collections.abc import Sequence
from typing import Any

import fullhouse
from fullhouse.core.message import Fact
from fullhouse.core.message_schema import Schema, name_of, samples_of, schema_of
from fullhouse.facts import FACTS, PUBLISHED, SENT_TO_ENDPOINTS
from fullhouse.infra.brokers.cloud_events import MEDIA_TYPE, SOURCE, schema_uri

_BROKER, _ENDPOINT = "messages", "webhooks"

_DESCRIPTION = """\
Every fact of the sale, sent after its commit, at least once, and in order for each `partitionkey`. Take an `id` that
you have seen for a repeat. Fields may be added to a version; whatever else changes makes a new version, as a new
`type`. Pass over fields that you do not know.
"""

_ID: Schema = {"type": "string", "format": "uuid"}
_TEXT: Schema = {"type": "string", "minLength": 1}

CLOUD_EVENT: Schema = {
    "title": "CloudEvent",
    "description": "What every message has: CloudEvents 1.0 in the JSON format.",
    "type": "object",
    "required": [
        *("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"),
        *("partitionkey", "organizationid", "data"),
    ],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {**_ID, "description": "The same whenever the message is repeated."},
        "source": {"type": "string", "const": SOURCE},
        "type": {**_TEXT, "description": "The type and its version."},
        "time": {"type": "string", "format": "date-time", "description": "When it was written; UTC."},
        "subject": {**_ID, "description": "The order, session or event that it is about."},
        "datacontenttype": {"type": "string", "const": "application/json"},
        "dataschema": {"type": "string", "format": "uri", "description": "Names the schema of `data`."},
        "partitionkey": {**_ID, "description": "Messages with the same key come in order."},
        "organizationid": {**_ID, "description": "Whose fact it is."},
        "requestid": {**_TEXT, "description": "The request that caused it, if one did; the logs know it."},
        "traceparent": {**_TEXT, "description": "The W3C trace context of what announced it, where traces are kept."},
        "data": {"type": "object"},
    },
}


def build_asyncapi() -> dict[str, Any]:
    """Write the document."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Fullhouse", "version": fullhouse.__version__, "description": _DESCRIPTION},
        "defaultContentType": MEDIA_TYPE,
        "channels": {
            _BROKER: _channel(
                FACTS, "The broker of `FULLHOUSE_BROKER_URL`, which each queue asks for the types it wants."
            ),
            _ENDPOINT: _channel(
                SENT_TO_ENDPOINTS,
                "The URL of an organization's webhook endpoint, called as Standard Webhooks says. It is sent the types "
                "that it chose, without `requestid` and `traceparent`, in no certain order.",
            ),
        },
        "operations": {
            "announce": _operation(_BROKER, FACTS, "Tell what has happened."),
            "callEndpoint": _operation(_ENDPOINT, SENT_TO_ENDPOINTS, "Tell an endpoint what has happened."),
        },
        "components": {
            "messages": {name_of(fact): _message(fact) for fact in PUBLISHED},
            "schemas": {"CloudEvent": CLOUD_EVENT, **{name_of(fact): schema_of(fact) for fact in PUBLISHED}},
        },
    }


def _channel(facts: Sequence[type[Fact]], description: str) -> dict[str, Any]:
    messages = {name_of(fact): {"$ref": f"#/components/messages/{name_of(fact)}"} for fact in facts}
    return {"address": None, "description": description, "messages": messages}


def _operation(channel: str, facts: Sequence[type[Fact]], summary: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name_of(fact)}"} for fact in facts],
    }


def _message(fact: type[Fact]) -> dict[str, Any]:
    name, schema = name_of(fact), schema_of(fact)
    parked = "waits until somebody has dealt with it" if fact.key_waits else "goes on without it"
    return {
        "name": name,
        "title": name,
        "summary": schema["description"],
        "description": f"Where a broker refuses such a message for good, its key {parked}.",
        "contentType": MEDIA_TYPE,
        "correlationId": {"location": "$message.payload#/partitionkey"},
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": name},
                        "dataschema": {"const": schema_uri(fact.type, fact.version)},
                        "data": {"$ref": f"#/components/schemas/{name}"},
                    },
                },
            ]
        },
        "examples": [{"payload": {"type": name, "data": samples_of(schema)[0]}}],
    }
