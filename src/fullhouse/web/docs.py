"""``/openapi.json``, ``/asyncapi.json``, and ``/docs``: the first as a page, without scripts or other servers."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from fullhouse.access.http import public
from fullhouse.web.asyncapi import build_asyncapi
from fullhouse.web.openapi import Document, operations_of

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"

router = APIRouter(tags=["operation"], dependencies=[public()], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Served:
    """A document as it is sent."""

    body: bytes
    etag: str

    @staticmethod
    def of(document: Document) -> "Served":
        """Write a document."""
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        return Served(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class Documents:
    """The documents and the page."""

    def __init__(self, document: Document) -> None:
        """Write them."""
        templates = Environment(
            loader=PackageLoader("fullhouse.web", "docs_page"), autoescape=True, undefined=StrictUndefined
        )
        self.openapi = Served.of(document)
        self.asyncapi = Served.of(build_asyncapi())
        page = templates.get_template("docs.html.jinja").render(
            info=document["info"],
            groups=_groups(document),
            schemas=[_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
        )
        self.page = page.encode()
        self.style = templates.get_template("docs.css").render().encode()


class Library:
    """Has the documents written when somebody first asks for one: it takes a second, for which no start waits."""

    def __init__(self, build: Callable[[], Document]) -> None:
        """Remember how the OpenAPI document is built."""
        self._build = build
        self._writing: asyncio.Task[Documents] | None = None

    async def documents(self) -> Documents:
        """Return the documents, written once, in a thread, so that other requests go on."""
        if self._writing is None or (self._writing.done() and self._writing.exception()):
            self._writing = asyncio.create_task(asyncio.to_thread(lambda: Documents(self._build())))
        # Whoever goes away meanwhile takes them from nobody else.
        return await asyncio.shield(self._writing)


async def _documents(request: Request) -> Documents:
    library: Library = request.app.state.library
    return await library.documents()


@router.get("/openapi.json")
async def get_openapi(request: Request) -> Response:
    """Answer the OpenAPI 3.1 document of the API."""
    return _answer(request, (await _documents(request)).openapi)


@router.get("/asyncapi.json")
async def get_asyncapi(request: Request) -> Response:
    """Answer the AsyncAPI 3 document of the messages."""
    return _answer(request, (await _documents(request)).asyncapi)


def _answer(request: Request, served: Served) -> Response:
    headers = {"ETag": served.etag, "Cache-Control": "public, max-age=60"}
    if request.headers.get("if-none-match") == served.etag:
        return Response(status_code=304, headers=headers)
    return Response(served.body, media_type="application/json", headers=headers)


@router.get("/docs")
async def get_docs(request: Request) -> Response:
    """Answer the page."""
    return Response(
        (await _documents(request)).page,
        media_type="text/html",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "public, max-age=60"},
    )


@router.get("/docs/docs.css")
async def get_style(request: Request) -> Response:
    """Answer the page's style sheet."""
    style = (await _documents(request)).style
    return Response(style, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


def _groups(document: Document) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in operations_of(document):
        tag = operation.get("tags", ["other"])[0]
        groups.setdefault(tag, []).append(_operation(path, method, operation))
    return groups


def _operation(path: str, method: str, operation: Document) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "id": operation["operationId"],
        "path": path,
        "method": method.upper(),
        "description": operation.get("description", ""),
        "who": _who(operation),
        "parameters": [
            {
                "name": parameter["name"],
                "place": parameter["in"],
                "required": parameter.get("required", False),
                "type": type_of(parameter["schema"]),
                "description": parameter.get("description", ""),
            }
            for parameter in operation.get("parameters", ())
        ],
        "body": type_of(body) if body else None,
        "answers": [
            {"status": status, "description": answer["description"], "type": _answer_type(answer)}
            for status, answer in operation["responses"].items()
        ],
    }


def _who(operation: Document) -> str:
    schemes = [scheme for option in operation["security"] for scheme in option]
    permission = operation["x-permission"]
    if permission == "public":
        return "anyone" + (f", also with {schemes[0]}" if schemes else "")
    if permission == "signed_in":
        return "people who are signed in (Bearer)"
    holders = [f"the holder ({scheme})" for scheme in schemes if scheme != "Bearer"]
    members = [f"members with {permission} (Bearer)"] if "Bearer" in schemes else []
    return " or ".join(holders + members)


def _answer_type(answer: Document) -> str:
    for media_type, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        return type_of(schema) if media_type == "application/json" else media_type
    return "nothing"


def _schema(name: str, schema: Document) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    return {
        "name": name,
        "description": schema.get("description", ""),
        "values": schema.get("enum", ()),
        "fields": [
            {
                "name": field,
                "type": type_of(content),
                "required": field in required,
                "description": content.get("description", ""),
            }
            for field, content in schema.get("properties", {}).items()
        ],
    }


def type_of(schema: Document) -> str:
    """Write a schema in a few words: ``integer from 1 to 100``, ``list of Item``, ``string or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for combined in ("anyOf", "oneOf"):
        if combined in schema:
            return " or ".join(type_of(option) for option in schema[combined])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type", "any value")
    if kind == "array":
        return "list of " + type_of(schema.get("items", {}))
    kinds = cast("list[str]", kind if isinstance(kind, list) else [kind])
    return str(schema.get("format", " or ".join(kinds))) + _bounds(schema)


def _bounds(schema: Document) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength", schema.get("exclusiveMaximum")))
    unit = " characters" if "maxLength" in schema or "minLength" in schema else ""
    if low is not None and high is not None:
        return f", {low} to {high}{unit}"
    if high is not None:
        return f", at most {high}{unit}"
    return f", at least {low}{unit}" if low is not None else ""
