"""Hot routes: operations that are asked for thousands of times a second, served by thin ASGI callables.

They stand behind the same layers as all others (ids, security headers, limits, log, metrics) and in front of the
framework, which knows of them only what the OpenAPI document says, and refuses their wrong methods. One reads so::

    @hot_route(
        router, "POST /things", takes={"body": NewThing, "key": IdempotencyKey},
        response_model=ThingAnswer, status_code=201, dependencies=[public()], responses=problems(409),
    )
    async def post_thing(scope: Scope, receive: Receive, send: Send) -> None:
        "Make a thing."
        body = must_be_valid(await read_body(NEW_THING, scope, receive))
        key = read_header(KEY, scope)
        await send_answer(send, 201, encode(...))

``app_state(scope)`` is the framework's ``app.state``; ``path_params`` stand in the scope as texts. Whatever is raised
becomes the same problem as behind the framework.
"""

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Never, Protocol, TypeVar, get_args
from uuid import UUID

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.types import Message, Receive, Scope, Send

from fullhouse.core.errors import Malformed
from fullhouse.infra.http_idempotency import REPLAYED_HEADER

Serve = Callable[[Scope, Receive, Send], Awaitable[None]]
Glance = Callable[..., bool]
"""Answers what is plain, as ``infra.glance`` says."""
Model = TypeVar("Model")

JSON_TYPE = (b"content-type", b"application/json")
CHUNK: Final = "fullhouse.chunk"
"""In a piece of an answer: the same piece as it goes over the wire. Our server writes it; others do not look at it."""

_WIRE: Final = "fullhouse.wire"
"""The extension under which our server leaves the request."""

FIELDS: Final = "fullhouse.fields"
"""Where a scope has its header fields by name, once somebody has asked for one."""
REPLAYED = (REPLAYED_HEADER.lower().encode(), b"true")


class Pipe(Protocol):
    """An answer that has begun and goes on, as our server has it: what is to go to many goes to each in one write."""

    def write_piece(self, chunk: bytes) -> bool:
        """Send a piece of the answer, written as it goes over the wire (``CHUNK``). Return whether it was sent.

        It is not where the client has gone, or has not read what it was sent before.
        """
        ...


def pipe_of(scope: Scope) -> Pipe | None:
    """Return the answer to a request as our server has it; None on other servers."""
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    return extensions.get(_WIRE)


class HotOperation:
    """What the framework is given in place of an endpoint: it describes, and ``serve`` answers."""

    def __init__(
        self,
        serve: Serve,
        takes: Mapping[str, Any],
        *,
        at_once: bool = False,
        glance: Glance | None = None,
    ) -> None:
        """Take name and description from the callable; a parameter that may be None is one that may be missing."""
        self.serve = serve
        self.at_once = at_once
        self.glance = glance
        self.__name__ = getattr(serve, "__name__", type(serve).__name__)
        self.__doc__ = serve.__doc__
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=None if _may_be_missing(annotation) else inspect.Parameter.empty,
                    annotation=annotation,
                )
                for name, annotation in takes.items()
            ]
        )

    async def __call__(self, **_parameters: object) -> Never:
        """Refuse: the layer in front of the framework serves it."""
        raise RuntimeError(f"{self.__name__} is served in front of the framework")


def hot_route(
    router: APIRouter,
    operation: str,
    *,
    takes: Mapping[str, Any],
    at_once: bool = False,
    glance: Glance | None = None,
    **described: Any,  # noqa: ANN401 (what the framework takes for any route)
) -> Callable[[Serve], Serve]:
    """Serve ``operation``, such as ``POST /things``, by the decorated callable.

    ``takes`` names parameters as an endpoint would declare them; ``described`` goes to ``add_api_route``. ``at_once``
    is for those that mostly answer from memory or wait for one future: they begin before there is a task for them.
    ``glance`` is for what of that is plain: see ``infra.glance``; the rest goes to the callable.
    """
    method, _, path = operation.partition(" ")

    def register(serve: Serve) -> Serve:
        described.setdefault("response_model", None)
        router.add_api_route(
            path, HotOperation(serve, takes, at_once=at_once, glance=glance), methods=[method], **described
        )
        return serve

    return register


def _may_be_missing(annotation: object) -> bool:
    inner = get_args(annotation)
    return bool(inner) and type(None) in get_args(inner[0])


def app_state(scope: Scope) -> Any:  # noqa: ANN401 (as the framework has it)
    """Return the state of the app: the parts of this process that requests share."""
    return scope["app"].state


@dataclass(frozen=True, slots=True)
class HeaderReader:
    """A header that an operation takes, with the rules of its value. Make it once with ``header_reader``."""

    name: bytes
    alias: str
    adapter: TypeAdapter[Any]


def header_reader(name: str, annotation: Any) -> HeaderReader:  # noqa: ANN401 (a type, as FastAPI takes it)
    """Prepare to read a header whose type is declared as for the framework."""
    return HeaderReader(name.lower().encode(), name, TypeAdapter(annotation))


def find_header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first value of a header, or None."""
    return fields_of(scope).get(name)


def fields_of(scope: Scope) -> Mapping[bytes, bytes]:
    """Return the first values of the header fields by name."""
    fields: Mapping[bytes, bytes] | None = scope.get(FIELDS)
    if fields is None:
        fields = scope[FIELDS] = dict(reversed(scope["headers"]))
    return fields


def read_header(reader: HeaderReader, scope: Scope) -> Any:  # noqa: ANN401 (the type that the reader was made for)
    """Return the value of a header, or None where there is none. Raises ``RequestValidationError``."""
    return read_field(reader, find_header(scope, reader.name))


def read_field(reader: HeaderReader, value: bytes | None) -> Any:  # noqa: ANN401 (the type that the reader was made for)
    """Return the value of a header that was found, or None where there is none. Raises ``RequestValidationError``."""
    if value is None:
        return None
    try:
        return reader.adapter.validate_python(value.decode("latin-1"))
    except ValidationError as invalid:
        raise RequestValidationError(_located(invalid, "header", reader.alias)) from invalid


_ID = TypeAdapter(UUID)


def read_path_id(scope: Scope, name: str) -> UUID:
    """Return an id out of the path. Raises ``RequestValidationError``."""
    return read_id(scope["path_params"], name)


def read_id(path_params: Mapping[str, str], name: str) -> UUID:
    """Return an id out of the named parts of a path. Raises ``RequestValidationError``."""
    try:
        return _ID.validate_python(path_params[name])
    except ValidationError as invalid:
        raise RequestValidationError(_located(invalid, "path", name)) from invalid


class BodyReader(Generic[Model]):
    """Reads bodies of one model, as the framework would. Make it once."""

    def __init__(self, model: type[Model]) -> None:
        """Prepare the model."""
        self.adapter: TypeAdapter[Model] = TypeAdapter(model)

    def read(self, scope: Scope, raw: bytes) -> Model | RequestValidationError:
        """Return the body, or what is wrong with its values. Raises ``Malformed`` for what is no JSON.

        What is wrong is returned, since who asks has to be known before they are told.
        """
        if is_json(scope):
            try:
                return self.adapter.validate_json(raw)
            except ValidationError:
                return self._read_slowly(raw)
        return self._validated(raw) if raw else _missing()

    def _read_slowly(self, raw: bytes) -> Model | RequestValidationError:
        """Read as the framework does: it takes a little more than the fast parser (UTF-16), and says what is wrong."""
        if not raw:
            return _missing()
        try:
            value: object = json.loads(raw)
        except json.JSONDecodeError as unreadable:
            raise Malformed("The body is not valid JSON.") from unreadable
        except ValueError as unreadable:
            raise Malformed("The body could not be read as JSON.") from unreadable
        return self._validated(value)

    def _validated(self, value: object) -> Model | RequestValidationError:
        try:
            return self.adapter.validate_python(value, from_attributes=True)
        except ValidationError as invalid:
            return RequestValidationError(_located(invalid, "body"))


def _missing() -> RequestValidationError:
    return RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])


async def read_raw(receive: Receive) -> bytes:
    """Return the body as it was sent; the layer in front has read it whole, and measured it."""
    message = await receive()
    body: bytes = message.get("body", b"")
    return body


def must_be_valid(body: Model | RequestValidationError) -> Model:
    """Return what was read. Raises the ``RequestValidationError`` that it may be."""
    if isinstance(body, RequestValidationError):
        raise body
    return body


def is_json(scope: Scope) -> bool:
    """Say whether the body is declared as JSON."""
    declared = find_header(scope, b"content-type")
    if declared == b"application/json":
        return True
    if declared is None:
        return False
    media_type = declared.partition(b";")[0].strip().lower()
    kind, _, subtype = media_type.partition(b"/")
    return kind == b"application" and (subtype == b"json" or subtype.endswith(b"+json"))


def _located(invalid: ValidationError, *place: str) -> Sequence[Any]:
    return [{**error, "loc": (*place, *error["loc"])} for error in invalid.errors(include_url=False)]


async def send_answer(
    send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = (JSON_TYPE,)
) -> None:
    """Send a whole answer; its length is added to the headers."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def piece_of_answer(data: bytes) -> Message:
    """Make a piece of an answer whose length nobody knows, for one or for many; something follows on it."""
    return {
        "type": "http.response.body",
        "body": data,
        "more_body": True,
        CHUNK: b"%x\r\n%b\r\n" % (len(data), data),
    }


async def send_not_modified(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Say that what the client has is still right."""
    await send({"type": "http.response.start", "status": 304, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})
