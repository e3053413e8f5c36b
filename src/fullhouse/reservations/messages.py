"""What reservations announce: one message a batch, keyed by the session."""

from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id


class StockData(TypedDict):
    """The session, the version of its stock, and the reservations of the batch."""

    session_id: Id
    stock_version: int
    reservation_ids: list[Id]


@dataclass(frozen=True, slots=True)
class _StockMoved:
    organization_id: UUID
    session_id: UUID
    stock_version: int
    reservation_ids: tuple[UUID, ...]

    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def key(self) -> UUID:
        """Order by session."""
        return self.session_id

    def data(self) -> StockData:
        """Return the session, the version of its stock, and the reservations of the batch."""
        return {
            "session_id": str(self.session_id),
            "stock_version": self.stock_version,
            "reservation_ids": [str(reservation_id) for reservation_id in self.reservation_ids],
        }


class ReservationHeld(_StockMoved):
    """Stock was held for these reservations."""

    type: ClassVar[str] = "reservation.held"


class ReservationReleased(_StockMoved):
    """These reservations were given back before they ended."""

    type: ClassVar[str] = "reservation.released"


class ReservationExpired(_StockMoved):
    """The time of these reservations ran out, and their stock is free again."""

    type: ClassVar[str] = "reservation.expired"


class ReservationSold(_StockMoved):
    """What these reservations held is sold."""

    type: ClassVar[str] = "reservation.sold"
