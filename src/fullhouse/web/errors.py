"""From errors to answers: one table from kinds to statuses, and RFC 9457 ``application/problem+json``."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope, Send

from fullhouse.core.errors import DomainError, Invalid, Kind, Malformed, NotFound
from fullhouse.core.json import Json
from fullhouse.infra.hot import send_answer
from fullhouse.infra.hot_reading import is_json
from fullhouse.infra.http import PROBLEM_TYPE, REPLAYED_HEADER
from fullhouse.infra.outbox import request_id
from fullhouse.infra.telemetry import get_log

STATUSES: Mapping[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.INVALID: 422,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
"""The one table of which error becomes which status."""

TYPE_PREFIX = "urn:fullhouse:problem:"
ERRORS_LISTED_MAX = 20
_NAME_LENGTH_MAX = 100
_RESERVED = frozenset({"type", "title", "status", "detail", "code", "request_id", "instance"})
_OF_PROBLEMS = ((b"content-type", PROBLEM_TYPE.encode()),)
_ID_MARK = "\0id"
_encode = json.JSONEncoder(default=str).encode
_log = get_log("web")


class RouteUnknown(NotFound):
    """No operation has this path."""

    code = "route_unknown"
    title = "There is nothing at this address."


class MethodNotAllowed(DomainError):
    """The path is known, but not with this method."""

    code = "method_not_allowed"
    title = "This address does not take this method."


class MediaTypeUnknown(DomainError):
    """The body is of another type than JSON."""

    code = "media_type_unknown"
    title = "Send the body as application/json."


class UrlTooLong(DomainError):
    """The address with its query is longer than any of ours; ``bytes_max`` says how long it may be."""

    code = "url_too_long"
    title = "The address is too long."


class HeadersTooLarge(DomainError):
    """There are too many header fields, or too long ones; ``headers_max`` and ``bytes_max`` are the limits."""

    code = "headers_too_large"
    title = "The header fields are too many or too long."


class Unexpected(DomainError):
    """A fault of ours; the log has it under the request's id."""

    code = "unexpected"
    title = "Something went wrong on our side."


STATUSES_OF_HTTP: Mapping[type[DomainError], int] = {
    MethodNotAllowed: 405,
    UrlTooLong: 414,
    MediaTypeUnknown: 415,
    HeadersTooLarge: 431,
    Unexpected: 500,
}
"""Errors that only HTTP has."""


def status_of(error: DomainError) -> int:
    """Return the status that an error becomes."""
    return STATUSES_OF_HTTP.get(type(error)) or STATUSES[error.kind]


def problem_of(error: DomainError, scope: Scope) -> dict[str, Json]:
    """Write an error as the body of a problem: the members of RFC 9457, ``code``, ``request_id``, and its fields."""
    told = _Told(error.code, error.title, error.detail, status_of(error))
    return _problem(told, str(scope.get("path", "")), error.fields, request_id.get())


class _Told(NamedTuple):
    """What an error says of itself."""

    code: str
    title: str
    detail: str
    status: int


def _problem(told: _Told, path: str, fields: Mapping[str, Json], asked: str | None) -> dict[str, Json]:
    return {
        "type": TYPE_PREFIX + told.code,
        "title": told.title,
        "status": told.status,
        "detail": told.detail,
        "code": told.code,
        "request_id": asked,
        "instance": quote(path[:500], errors="replace"),
        **{name: value for name, value in fields.items() if name not in _RESERVED},
    }


def problem_response(error: DomainError, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a problem, and the headers that belong to its status."""
    status = status_of(error)
    return Response(
        _encode(problem_of(error, scope)).encode(),
        status,
        media_type=PROBLEM_TYPE,
        headers={**_headers_of(error, status), **(headers or {})},
    )


async def send_problem(send: Send, error: DomainError, scope: Scope) -> None:
    """Answer with a problem, at less cost: most people in an on-sale lose."""
    await send_answer(send, *write_problem(error, scope["path"], request_id.get()))


def write_problem(
    error: DomainError, path: str, asked: str | None
) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
    """Write a problem as it is answered to a request with an id: its status, body and headers."""
    note_unavailable(error)
    status, before, after, headers = around_id(error, path)
    return status, b"%b%b%b" % (before, _encode(asked).encode(), after), headers


class AroundId(NamedTuple):
    """A problem but for the id of the request, which stands in it once, as JSON."""

    status: int
    before: bytes
    after: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def around_id(error: DomainError, path: str) -> AroundId:
    """Write a problem once for all who hear it: what stands before the id of the request, and what after it."""
    status = status_of(error)
    told = _Told(error.code, error.title, error.detail, status)
    try:
        before, after = _around_id(told, path, tuple(error.fields.items()))
    except TypeError:  # A field is a list.
        before, after = _split(told, path, error.fields)
    own = _headers_of(error, status)
    headers = tuple((name.lower().encode(), own[name].encode()) for name in own)
    return AroundId(status, before, after, (*_OF_PROBLEMS, *headers))


@lru_cache(maxsize=1_024)
def _around_id(told: _Told, path: str, fields: tuple[tuple[str, Json], ...]) -> tuple[bytes, bytes]:
    return _split(told, path, dict(fields))


def _split(told: _Told, path: str, fields: Mapping[str, Json]) -> tuple[bytes, bytes]:
    before, _, after = _encode(_problem(told, path, fields, _ID_MARK)).encode().partition(_encode(_ID_MARK).encode())
    return before, after


def _headers_of(error: DomainError, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        schemes = cast("Sequence[str]", error.fields.get("schemes") or ("Bearer",))
        headers["WWW-Authenticate"] = ", ".join(f'{scheme} realm="fullhouse"' for scheme in schemes)
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        seconds = error.fields.get("retry_after_seconds", 1)
        headers["Retry-After"] = str(max(1, math.ceil(seconds)) if isinstance(seconds, (int, float)) else 1)
    if getattr(error, "replayed", False):
        headers[REPLAYED_HEADER] = "true"
    return headers


def invalid_fields(errors: Sequence[Mapping[str, Any]]) -> DomainError:
    """Name each field that validation refused. What was sent is not repeated: it may be a secret."""
    if any(error["type"] == "json_invalid" for error in errors):
        return Malformed("The body is not valid JSON.")
    listed: list[Json] = [
        {"field": field_name(error["loc"]), "message": str(error["msg"])} for error in errors[:ERRORS_LISTED_MAX]
    ]
    first = cast("Mapping[str, str]", listed[0])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Invalid(f"{first['field']}: {first['message']}{more}", errors=listed)


def field_name(location: Sequence[str | int]) -> str:
    """Write where a value stood: ``items.0.quantity`` of a body, or the name of a parameter."""
    parts = location[1:] or location[:1]
    name = ".".join(str(part) for part in parts)
    return name.encode("ascii", "backslashreplace").decode()[:_NAME_LENGTH_MAX]


def add_error_handlers(app: FastAPI, allowed_methods: Callable[[str], Sequence[str]]) -> None:
    """Make the app answer each error as a problem. ``allowed_methods`` knows which methods a path takes."""

    async def on_http_exception(request: Request, error: Exception) -> Response:
        raised = cast("HTTPException", error)
        if raised.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allow = ", ".join(allowed_methods(request.url.path))
            return problem_response(MethodNotAllowed(), request.scope, {"Allow": allow})
        return problem_response(_of_framework(raised.status_code), request.scope, raised.headers)

    app.add_exception_handler(DomainError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_domain_error(request: Request, error: Exception) -> Response:
    return domain_problem(cast("DomainError", error), request.scope)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    return validation_problem(cast("RequestValidationError", error), request.scope)


def domain_problem(refused: DomainError, scope: Scope) -> Response:
    """Answer what the product refuses."""
    note_unavailable(refused)
    return problem_response(refused, scope)


def note_unavailable(refused: DomainError) -> None:
    """Log that something is away."""
    if refused.kind is Kind.UNAVAILABLE:
        _log.warning("unavailable", code=refused.code, cause=repr(refused.__cause__) if refused.__cause__ else None)


def validation_problem(invalid: RequestValidationError, scope: Scope) -> Response:
    """Answer what is not valid: by its fields, or by its type where that is none of ours."""
    errors = invalid.errors()
    of_body = any(tuple(found["loc"]) == ("body",) and found["type"] != "missing" for found in errors)
    if of_body and not is_json(scope):
        return problem_response(MediaTypeUnknown(), scope)
    return problem_response(invalid_fields(errors), scope)


def _of_framework(status: int) -> DomainError:
    """Translate what the framework refuses by itself; its own handlers answer in another form."""
    if status == HTTPStatus.NOT_FOUND:
        return RouteUnknown()
    if status == HTTPStatus.BAD_REQUEST:
        return Malformed("The body could not be read as JSON.")
    _log.error("unexpected", status=status)
    return Unexpected()


async def _on_unexpected(request: Request, _error: Exception) -> Response:
    """Say nothing of what happened. The error is raised again, and the outermost layer logs it."""
    return problem_response(Unexpected(), request.scope)
