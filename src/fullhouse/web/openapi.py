"""The OpenAPI document: what FastAPI derives from the routes, with who may call each and every refusal they answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI

from fullhouse.access.http import Declaration
from fullhouse.infra.http import REPLAYED_HEADER
from fullhouse.infra.http import problem_response as describe_problem
from fullhouse.web.routes import Operation

Document = dict[str, Any]

DESCRIPTION = """\
Sells tickets: every seat once, fast, fairly, and with nothing lost.

Money is in minor units of its currency; instants are RFC 3339 in UTC. Every refusal is `application/problem+json`
(RFC 9457) with a stable `code`, the `request_id` that the logs know, and the fields that a client needs to go on.
Repeat a write with the same `Idempotency-Key` and it happens once.
"""

_PROBLEM: Document = {
    "type": "object",
    "title": "Problem",
    "description": "A refusal, as RFC 9457 writes it. Further members depend on `code`.",
    "required": ["type", "title", "status", "detail", "code", "request_id", "instance"],
    "properties": {
        "type": {"type": "string", "description": "A URI that names the kind of problem; it never changes."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened this time, for people."},
        "code": {"type": "string", "description": "What happened, for programs."},
        "request_id": {"type": ["string", "null"]},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "errors": {
            "type": "array",
            "description": "Each value that is not valid.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "retry_after_seconds": {"type": "number"},
    },
    "additionalProperties": True,
}

_SCHEMES: Document = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An access token of a person, or an API key."},
    "Order": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Order <secret>`: the secret that came with the order.",
    },
    "Reservation": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Reservation <token>`: the token that came with the reservation.",
    },
    "Allocation": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Allocation <key>`: the key that came with stock that is kept from the public.",
    },
}


def build_openapi(app: FastAPI, operations: Sequence[Operation]) -> Document:
    """Write the document of an app and its operations."""
    document = app.openapi()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    document["components"]["securitySchemes"] = _SCHEMES
    declared = {
        (operation.path, method.lower()): operation.declaration
        for operation in operations
        for method in operation.methods
    }
    for path, method, operation in operations_of(document):
        _complete(operation, declared[path, method])
    return document


def operations_of(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Go through the operations of a document: path, method in small letters, operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(operation: Document, declaration: Declaration) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    statuses = [*_always(operation), *_of_access(declaration)]
    operation["responses"] = dict(
        sorted({**{str(status): describe_problem(status) for status in statuses}, **responses}.items())
    )
    operation["x-permission"] = declaration.permission
    if declaration.schemes:
        options: list[Mapping[str, list[str]]] = [{scheme: []} for scheme in declaration.schemes]
        operation["security"] = [*options, {}] if declaration.optional else options
    else:
        operation["security"] = []
    if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ())):
        _document_replays(operation["responses"])


def _always(operation: Document) -> list[int]:
    """Return the statuses of refusals that any operation of this form answers."""
    statuses = [400, 413, 414, 422, 429, 431, 500, 503]
    return [*statuses, 415] if "requestBody" in operation else statuses


def _of_access(declaration: Declaration) -> list[int]:
    if declaration.permission == "public":
        return [401] if "Bearer" in declaration.schemes else []
    return [401] if declaration.permission == "holder" else [401, 403]


def _document_replays(responses: Document) -> None:
    header = {"description": "`true` where this is the first answer, repeated.", "schema": {"type": "string"}}
    for status, response in responses.items():
        if status.startswith("2") or status == "409":
            response.setdefault("headers", {})[REPLAYED_HEADER] = header
