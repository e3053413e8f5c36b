"""Domain errors: facts with a code and fields. They know no HTTP; the edges translate their kind.

A feature subclasses one of the kinds below in its ``rules.py``, sets ``code`` and ``title``, and passes
the fields that a client needs to go on as keyword arguments: ``SeatTaken(seats=["A-1"])``.
"""

from enum import Enum
from typing import ClassVar

from fullhouse.core.json import Json


class Kind(Enum):
    """What the edges need to know of an error: HTTP makes it a status, a worker a retry or a dead letter."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """Something that was asked for cannot be done. ``final`` refusals are kept for a repeated idempotency key."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "conflict"
    title: ClassVar[str] = "This cannot be done in the present state."

    def __init__(self, detail: str = "", **fields: Json) -> None:
        """Keep the sentence for people (``detail``) and the fields for programs."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.fields = fields


class Malformed(DomainError):
    """The request cannot be read."""

    kind = Kind.MALFORMED
    code = "malformed"
    title = "The request could not be read."


class Unauthenticated(DomainError):
    """A credential is missing, unknown, expired or revoked."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    title = "A valid credential is needed."


class Forbidden(DomainError):
    """The actor is known and may not do this."""

    kind = Kind.FORBIDDEN
    code = "forbidden"
    title = "You may not do this."


class NotFound(DomainError):
    """There is no such thing, or it belongs to somebody else."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    title = "There is no such thing here."


class Conflict(DomainError):
    """The present state does not allow it."""


class Invalid(DomainError):
    """Values are outside what is allowed. ``fields["errors"]`` lists ``{"field", "message"}``."""

    kind = Kind.INVALID
    code = "invalid"
    title = "Some values are not valid."


class TooLarge(DomainError):
    """A body is larger than the limit."""

    kind = Kind.TOO_LARGE
    code = "too_large"
    title = "The request is too large."


class TooMany(DomainError):
    """Too many requests; ``retry_after_seconds`` is among the fields."""

    kind = Kind.TOO_MANY
    code = "too_many_requests"
    title = "Too many requests."


class Unavailable(DomainError):
    """A part is away or full for the moment; ``retry_after_seconds`` is among the fields."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"
    title = "This is not available for the moment."


def invalid_field(field: str, message: str, **fields: Json) -> Invalid:
    """Say that one field is not valid, in the form that several would have."""
    return Invalid(f"{field}: {message}", errors=[{"field": field, "message": message}], **fields)
