"""What held items come to: their quotes, remembered by what was asked, since most requests ask for the same. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fullhouse.pricing.parts import LineQuote, Places
from fullhouse.pricing.quote import quote
from fullhouse.pricing.rules import Charges, Discount
from fullhouse.reservations.rules import HeldItem

REMEMBERED_MAX = 4_096

_Asked = tuple[UUID | None, str, tuple[Places, ...], Discount | None]
_remembered: dict[_Asked, tuple[LineQuote, ...]] = {}


def quote_items(
    charges: Charges | None, items: Sequence[HeldItem], discount: Discount | None = None
) -> tuple[HeldItem, ...]:
    """Return the items with their quotes; unchanged where nothing is declared and nothing taken off."""
    if charges is None and discount is None:
        return tuple(items)
    places = tuple(Places(item.ticket_type_id, item.price_minor, item.quantity) for item in items)
    charges_id = charges.charges_id if charges else None
    # A declaration never changes under its id; its currency decides which fixed amounts count.
    asked = (charges_id, charges.currency if charges else "", places, discount)
    quotes = _remembered.get(asked)
    if quotes is None:
        if len(_remembered) >= REMEMBERED_MAX:
            _remembered.clear()
        quotes = _remembered[asked] = quote(charges, places, discount)
    return tuple(replace(item, quote=line, charges_id=charges_id) for item, line in zip(items, quotes, strict=True))
