"""What a refund takes back: which units, and how much money. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.core.errors import invalid_field
from fullhouse.orders.rules import Order, OrderNotRefundable, OrderStatus, Unit
from fullhouse.payments.rules import RefundTooLarge


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What to give back of an order.

    Neither units nor lines nor an amount: the whole of what is left. Units or lines: those, for what was paid for each
    with its fees and taxes, or for ``amount_minor`` where it is given. An amount alone: that money; all tickets stay
    valid.
    """

    unit_ids: tuple[UUID, ...] = ()
    lines: Mapping[int, int | None] = field(default_factory=dict[int, int | None])
    """How many units of each line by number; None: all that are live."""
    amount_minor: int | None = None
    return_stock: bool = True
    reason: str = "by_request"

    @property
    def is_whole(self) -> bool:
        """Say whether everything that is left is meant."""
        return not self.unit_ids and not self.lines and self.amount_minor is None


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """Which live units end, and how much money goes back."""

    units: tuple[Unit, ...]
    amount_minor: int


def plan_refund(order: Order, units: Sequence[Unit], refundable_minor: int, wish: RefundWish) -> RefundPlan:
    """Decide what a wish takes of an order.

    ``refundable_minor`` is what is left of what the buyer paid for its places. Raises ``OrderNotRefundable``,
    ``RefundTooLarge`` (with what is left), and ``Invalid`` for units and lines that the order has not, or not live.
    """
    if order.status is not OrderStatus.PAID:
        raise OrderNotRefundable(order_id=str(order.order_id), order_status=order.status.value)
    live = [unit for unit in units if unit.live]
    if wish.is_whole:
        return RefundPlan(tuple(live), refundable_minor)
    chosen = _chosen(live, wish)
    amount = sum(unit.paid_minor for unit in chosen) if wish.amount_minor is None else wish.amount_minor
    if amount > refundable_minor:
        raise RefundTooLarge(amount_minor=amount, refundable_minor=refundable_minor)
    return RefundPlan(tuple(chosen), amount)


def _chosen(live: Sequence[Unit], wish: RefundWish) -> list[Unit]:
    by_id = {unit.unit_id: unit for unit in live}
    chosen: dict[UUID, Unit] = {}
    for unit_id in wish.unit_ids:
        if unit_id not in by_id:
            raise invalid_field("unit_ids", f"{unit_id} is no live unit of this order.")
        chosen[unit_id] = by_id[unit_id]
    for line_number, quantity in wish.lines.items():
        of_line = [unit for unit in live if unit.line_number == line_number and unit.unit_id not in chosen]
        if not of_line or (quantity or 0) > len(of_line):
            message = f"Line {line_number} has {len(of_line)} live units besides those that are named."
            raise invalid_field("lines", message)
        chosen |= {unit.unit_id: unit for unit in of_line[:quantity]}
    return list(chosen.values())
