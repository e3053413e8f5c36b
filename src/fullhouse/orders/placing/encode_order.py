"""The answer to an order that was placed, as it is kept and sent: JSON without the detour of models.

The models of the API say the same for the document, and a test compares the two.
"""

from fullhouse.core.clock import instant_text
from fullhouse.core.json import Json
from fullhouse.infra.languages import language_tag
from fullhouse.orders.lines import quotes_of
from fullhouse.orders.placing.asked import PlacedOrder
from fullhouse.orders.rules import OrderLine, OrderStatus
from fullhouse.pricing.answers import charge_answers


def encode_order(placed: PlacedOrder) -> dict[str, Json]:
    """Write an order without who bought it, and without its secret."""
    order = placed.order
    quotes = quotes_of(placed.lines)
    return {
        "id": str(order.order_id),
        "status": order.status.value,
        "event_id": str(order.event_id),
        "session_id": str(order.session_id),
        "reservation_id": str(order.reservation_id),
        "email": None,
        "name": None,
        "language": language_tag(order.language),
        "lines": [_line(line) for line in placed.lines],
        "reason": order.reason,
        "total_minor": order.total_minor,
        "charges": [charge.model_dump(mode="json") for charge in charge_answers(quotes)] if quotes else [],
        "currency": order.currency,
        "placed_at": instant_text(order.placed_at),
        "expires_at": instant_text(placed.expires_at) if order.status is OrderStatus.PENDING else None,
        "paid_at": instant_text(order.paid_at) if order.paid_at else None,
    }


def _line(line: OrderLine) -> dict[str, Json]:
    return {
        "line_number": line.line_number,
        "kind": line.kind,
        "ticket_type_id": str(line.ticket_type_id) if line.ticket_type_id else None,
        "price_category_id": str(line.price_category_id) if line.price_category_id else None,
        "description": line.description,
        "area": line.area,
        "seats": [{"key": seat.key, "label": seat.label} for seat in line.seats],
        "quantity": line.quantity,
        "price_minor": line.price_minor,
        "total_minor": line.total_minor,
    }
