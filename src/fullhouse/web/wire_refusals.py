"""Refusals that are written by the protocol itself, before there is a request: as they go over the wire."""

import json
from functools import lru_cache
from typing import cast

from fullhouse.core.errors import DomainError, Malformed, Unavailable
from fullhouse.infra.http import PROBLEM_TYPE
from fullhouse.infra.system import make_id, make_id_text
from fullhouse.web.edge import security_headers
from fullhouse.web.errors import problem_of, status_of
from fullhouse.web.overload import Overloaded


class TooManyConnections(Unavailable):
    """The process has as many connections as it may."""

    code = "too_many_connections"
    title = "There are too many connections at this moment."


class HeadIncomplete(Malformed):
    """The head of the request did not come in time."""

    code = "head_incomplete"
    title = "The head of the request did not come in time."


def write_refusal(error: DomainError, *, is_https: bool, request_id: str = "", ends: bool = True) -> bytes:
    """Write a refusal as it goes over the wire, with what every answer has. ``ends``: the connection with it."""
    request_id = request_id or str(make_id())
    body = json.dumps({**problem_of(error, {"path": ""}), "request_id": request_id}).encode()
    retry_after = error.fields.get("retry_after_seconds")
    headers = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *([(b"connection", b"close")] if ends else ()),
        (b"x-request-id", request_id.encode()),
        *([(b"retry-after", str(retry_after).encode())] if retry_after else ()),
        *security_headers(https=is_https),
    ]
    lines = [b"HTTP/1.1 %d Refused" % status_of(error), *(b"%b: %b" % header for header in headers), b"", body]
    return b"\r\n".join(lines)


def write_overloaded(refused: Overloaded, *, is_https: bool) -> bytes:
    """Write that there are too many, from an answer that was written before; only its id is new."""
    seconds = cast("int", refused.fields["retry_after_seconds"])
    return _before(seconds, is_https).replace(_ID, make_id_text().encode())


_ID = b"00000000-0000-0000-0000-000000000000"


@lru_cache
def _before(retry_after_seconds: int, is_https: bool) -> bytes:
    error = Overloaded(retry_after_seconds=retry_after_seconds)
    return write_refusal(error, is_https=is_https, request_id=_ID.decode(), ends=False)
