"""Refusals that are written by the protocol itself, before there is a request: as they go over the wire."""

import json
import os
from functools import lru_cache
from typing import Final, cast

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
    before, between, after = _around_ids(cast("int", refused.fields["retry_after_seconds"]), is_https)
    told = _ids.take()
    return b"%b%b%b%b%b" % (before, told, between, told, after)


class _Ids:
    """Ids of refusals, which nobody looks up: as those of others, but counted on from one that was made."""

    def __init__(self) -> None:
        self._begins = b""
        self._left = 0

    def take(self) -> bytes:
        if not self._left:
            self._begins, self._left = make_id_text()[:-_COUNTED_DIGITS].encode(), 1 << 4 * _COUNTED_DIGITS
        self._left -= 1
        return b"%b%04x" % (self._begins, self._left)


_COUNTED_DIGITS: Final = 4
_ids = _Ids()
os.register_at_fork(after_in_child=_ids.__init__)
_ID: Final = b"00000000-0000-0000-0000-000000000000"


@lru_cache
def _around_ids(retry_after_seconds: int, is_https: bool) -> list[bytes]:
    error = Overloaded(retry_after_seconds=retry_after_seconds)
    return write_refusal(error, is_https=is_https, request_id=_ID.decode(), ends=False).split(_ID)
