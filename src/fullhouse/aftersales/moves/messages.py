"""What moves announce, keyed by the order."""

from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id


class MoveData(TypedDict):
    """Which order hears of which move."""

    order_id: Id
    move_id: Id


@dataclass(frozen=True, slots=True)
class MoveAnnounced:
    """The buyer of an order is to hear that its session was moved. Internal."""

    organization_id: UUID
    order_id: UUID
    move_id: UUID

    type: ClassVar[str] = "order.move_announced"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.order_id

    def data(self) -> MoveData:
        """Return the ids."""
        return {"order_id": str(self.order_id), "move_id": str(self.move_id)}
