"""What orders announce, keyed by the order. Names and addresses never travel: the id leads to them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import CurrencyCode, Id, Means, Minor
from fullhouse.orders.rules import Order

Reason = Annotated[str, Means("Why it ended, where there is something to say.", example="by_request")]


class OrderData(TypedDict):
    """The ids that lead to everything else, the total, and why it ended."""

    order_id: Id
    event_id: Id
    session_id: Id
    reservation_id: Id
    total_minor: Minor
    currency: CurrencyCode
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class OrderFact:
    """A fact about an order as it stood."""

    order: Order
    reason: str | None = None
    """Why it ended, where there is something to say: ``by_request``, ``payment_declined``."""

    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = True

    @property
    def organization_id(self) -> UUID:
        """Whose order it is."""
        return self.order.organization_id

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.order.order_id

    def data(self) -> OrderData:
        """Return the ids that lead to everything else, the total, and the reason."""
        return {
            "order_id": str(self.order.order_id),
            "event_id": str(self.order.event_id),
            "session_id": str(self.order.session_id),
            "reservation_id": str(self.order.reservation_id),
            "total_minor": self.order.total_minor,
            "currency": self.order.currency,
            "reason": self.reason,
        }


class OrderPlaced(OrderFact):
    """Somebody agreed to pay for what they hold."""

    type: ClassVar[str] = "order.placed"


class OrderPaid(OrderFact):
    """The order has its places and its money; its units are live."""

    type: ClassVar[str] = "order.paid"


class OrderCancelled(OrderFact):
    """The order ended before it was paid, and its stock went back."""

    type: ClassVar[str] = "order.cancelled"


class OrderExpired(OrderFact):
    """The hold of the order lapsed before it was paid."""

    type: ClassVar[str] = "order.expired"


class OrderPaidUnseated(OrderFact):
    """The money came when the places were gone; its refund was requested in the same transaction."""

    type: ClassVar[str] = "order.paid_unseated"


class OrderRefunded(OrderFact):
    """No unit of the order is live any more, or the money of an unseated order was given back."""

    type: ClassVar[str] = "order.refunded"
