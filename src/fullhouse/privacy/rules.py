"""What is known of a buyer, and when it may be erased."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fullhouse.core.errors import Conflict


@dataclass(frozen=True, slots=True)
class BuyersOrder:
    """An order of a buyer: whether its session is still ahead, and with it the need to reach its buyer."""

    order_id: UUID
    is_ahead: bool


@dataclass(frozen=True, slots=True)
class Export:
    """All that an organization keeps of a buyer, in the form in which it is handed over."""

    orders: list[dict[str, Any]]


class SessionsAhead(Conflict):
    """The buyer has orders of sessions that are still ahead; ``order_ids`` names them."""

    code = "sessions_ahead"
    title = "This buyer has orders of sessions that are still ahead."


def refuse_ahead(orders: list[BuyersOrder]) -> None:
    """Raise ``SessionsAhead`` where somebody would lose the mails about a session that is to come."""
    ahead = [str(order.order_id) for order in orders if order.is_ahead]
    if ahead:
        detail = "Their tickets would stay valid, but nobody could be told if a session is moved or cancelled."
        raise SessionsAhead(detail, order_ids=list(ahead[:100]))
