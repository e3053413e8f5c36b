"""Reading what a hot route is asked: header fields, ids in the path, and bodies, by the rules of the framework."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive, Scope

from fullhouse.core.errors import Malformed
from fullhouse.infra.hot import JSON_TYPE

Model = TypeVar("Model")

FIELDS: Final = "fullhouse.fields"
"""Where a scope has its header fields by name, once somebody has asked for one."""


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

    def read_plain(self, fields: Mapping[bytes, bytes], raw: bytes) -> Model | None:
        """Return the body that came with these header fields; None for what is not plain, or not valid."""
        if not is_plain_json(fields):
            return None
        try:
            return self.adapter.validate_json(raw)
        except ValidationError:
            return None

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


def is_plain_json(fields: Mapping[bytes, bytes]) -> bool:
    """Say whether header fields declare the body as JSON in the words of most."""
    return fields.get(b"content-type") == JSON_TYPE[1]


def is_json(scope: Scope) -> bool:
    """Say whether the body is declared as JSON."""
    declared = find_header(scope, b"content-type")
    if declared == JSON_TYPE[1]:
        return True
    if declared is None:
        return False
    media_type = declared.partition(b";")[0].strip().lower()
    kind, _, subtype = media_type.partition(b"/")
    return kind == b"application" and (subtype == b"json" or subtype.endswith(b"+json"))


def _located(invalid: ValidationError, *place: str) -> Sequence[Any]:
    return [{**error, "loc": (*place, *error["loc"])} for error in invalid.errors(include_url=False)]
