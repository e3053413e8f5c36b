"""Messages: facts in the past tense. A feature's ``messages.py`` declares its own as frozen dataclasses.

Each names its ``type`` (``order.paid``) and ``version``; the version is raised when an old reader could not
read a new message, and readers keep reading old versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import UUID

from fullhouse.core.json import Json


class Fact(Protocol):
    """What the outbox can take: an organization, a key that orders it among its like, and data."""

    type: ClassVar[str]
    version: ClassVar[int]

    @property
    def organization_id(self) -> UUID:
        """Whose fact it is."""
        ...

    @property
    def key(self) -> UUID:
        """Facts with the same key are delivered in the order in which they were committed."""
        ...

    def data(self) -> Mapping[str, Json]:
        """Return the fields that travel, as JSON values."""
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
