"""Messages and facts for the tests of what carries them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID, uuid4

from fullhouse.core.json import Json
from fullhouse.core.message import Message


def message(
    key: UUID | None = None, *, type_: str = "thing.happened", organization_id: UUID | None = None, **data: Any
) -> Message:
    return Message(
        organization_id=organization_id or uuid4(),
        message_id=uuid4(),
        type=type_,
        version=1,
        key=key or uuid4(),
        data=data,
        request_id="request-1",
        occurred_at="2026-03-01T12:00:00.000001Z",
    )


@dataclass(frozen=True)
class ThingHappened:
    type: ClassVar[str] = "thing.happened"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    number: int
    key: UUID = field(default_factory=uuid4)
    organization_id: UUID = field(default_factory=uuid4)

    def data(self) -> Mapping[str, Json]:
        return {"number": self.number}


@dataclass(frozen=True)
class PoisonHappened(ThingHappened):
    type: ClassVar[str] = "poison.happened"
