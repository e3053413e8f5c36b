"""What reservations announce: one message a batch, keyed by the session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from fullhouse.core.json import Json


@dataclass(frozen=True, slots=True)
class _StockMoved:
    organization_id: UUID
    session_id: UUID
    stock_version: int
    reservation_ids: tuple[UUID, ...]

    version: ClassVar[int] = 1

    @property
    def key(self) -> UUID:
        """Order by session."""
        return self.session_id

    def data(self) -> Mapping[str, Json]:
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
