"""The answer to a placed reservation, written as bytes: what is held alike is encoded once.

The models of the API say the same for the document, and a test compares the two.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from fullhouse.core.clock import instant_text
from fullhouse.pricing.answers import charge_answers
from fullhouse.reservations.rules import HeldItem, Reservation

ITEMS_REMEMBERED_MAX = 1_000


class ReservationEncoder:
    """Writes answers, and remembers how places were written that many reservations share."""

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        self._expiry: tuple[datetime, str] | None = None
        self._items: dict[int, tuple[Sequence[HeldItem], tuple[str, str]]] = {}

    def encode_placed(self, placed: Reservation, token: str) -> bytes:
        """Write a reservation with its secret."""
        expiry = self._expiry
        if expiry is None or expiry[0] is not placed.expires_at:
            # Those of a batch expire together.
            expiry = self._expiry = placed.expires_at, instant_text(placed.expires_at)
        items, charges = self._texts(placed.items)
        return (
            f'{{"id":"{placed.reservation_id}","session_id":"{placed.session_id}","status":"{placed.status}",'
            f'"expires_at":"{expiry[1]}","items":{items},'
            f'"total_minor":{placed.total_minor},"charges":{charges},"currency":"{placed.currency}","token":"{token}"}}'
        ).encode()

    def _texts(self, items: Sequence[HeldItem]) -> tuple[str, str]:
        """Write the items and their charges. The decision hands the very same ones to all who got the same places."""
        if any(item.seats for item in items):
            return _written(items)
        # The items are kept beside their texts, so that no others can get their address meanwhile.
        known = self._items.get(id(items))
        if known is None:
            if len(self._items) >= ITEMS_REMEMBERED_MAX:
                self._items.clear()
            known = self._items[id(items)] = items, _written(items)
        return known[1]


def _written(items: Sequence[HeldItem]) -> tuple[str, str]:
    charges = charge_answers([item.quote for item in items if item.quote])
    return (
        _encoder.encode([_item(item) for item in items]),
        _encoder.encode([charge.model_dump(mode="json") for charge in charges]),
    )


def _item(item: HeldItem) -> dict[str, object]:
    return {
        "ticket_type_id": str(item.ticket_type_id),
        "ticket_type": item.ticket_type,
        "price_category_id": str(item.price_category_id),
        "price_category": item.price_category,
        "area": item.area,
        "quantity": item.quantity,
        "seats": [{"key": seat.key, "label": seat.label} for seat in item.seats],
        "price_minor": item.price_minor,
        "total_minor": item.total_minor,
    }


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
