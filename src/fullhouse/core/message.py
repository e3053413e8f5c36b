"""Messages: facts in the past tense. A feature's ``messages.py`` declares its own as frozen dataclasses.

Each names its ``type`` (``order.paid``) and ``version``; the version is raised when an old reader could not
read a new message, and readers keep reading old versions. What ``data`` returns is a ``TypedDict``: the type checker
holds the code to it, and the published schema is read from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol
from uuid import UUID

from fullhouse.core.json import Json


@dataclass(frozen=True, slots=True)
class Means:
    """What a field holds beyond its Python type, written as ``Annotated[str, Means(...)]``."""

    description: str = ""
    format: str | None = None
    """A format of JSON Schema, such as ``uuid``."""
    example: str | None = None


Id = Annotated[str, Means(format="uuid")]
Instant = Annotated[str, Means(format="date-time")]
Minor = Annotated[int, Means("Money in minor units of `currency`.")]
CurrencyCode = Annotated[str, Means("ISO 4217.", example="EUR")]


class Fact(Protocol):
    """What the outbox can take: an organization, a key that orders it among its like, and data."""

    type: ClassVar[str]
    version: ClassVar[int]
    key_waits: ClassVar[bool]
    """When the broker never takes such a message: whether later ones of its key wait until a person has decided."""

    @property
    def organization_id(self) -> UUID:
        """Whose fact it is."""
        ...

    @property
    def key(self) -> UUID:
        """Facts with the same key are delivered in the order in which they were committed."""
        ...

    def data(self) -> Mapping[str, object]:
        """Return the fields that travel, as JSON values. Its return type is a ``TypedDict``."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A fact on its way: as it stands in the outbox and as a consumer receives it."""

    organization_id: UUID
    message_id: UUID
    type: str
    version: int
    key: UUID
    data: Mapping[str, Json]
    request_id: str | None
    occurred_at: str
    """RFC 3339, UTC."""
    traceparent: str | None = None
    """The W3C context of the span that announced it, where traces are kept."""
