"""Agreeing on the price of an order: what its places were held at, less what a code takes off, or nothing at all."""

from dataclasses import replace
from uuid import UUID

from fullhouse.core.errors import invalid_field
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import count_uses_of_buyer
from fullhouse.pricing.codes import Code, CodeNotValid, OpenedCode
from fullhouse.pricing.parts import Places
from fullhouse.pricing.queries import load_charges
from fullhouse.pricing.quote import waive
from fullhouse.pricing.use_code import lock_code
from fullhouse.reservations.place_reservation import open_code_at
from fullhouse.reservations.quote_items import quote_items
from fullhouse.reservations.rules import HeldItem, Reservation


async def find_code(
    conn: Connection, terms: SessionTerms, reservation: Reservation, text: str | None
) -> OpenedCode | None:
    """Return the code that an order uses: the one that is shown with it, or that its places were held with.

    A code of the hold is not asked for its time again: its price was agreed then. Raises ``CodeNotValid``, and
    ``Invalid`` where both are there and differ.
    """
    held_id = next((item.code_id for item in reservation.items if item.code_id), None)
    if text is None:
        return OpenedCode(held_id, None, frozenset()) if held_id else None
    opened = await open_code_at(conn, terms, text)
    if held_id not in {None, opened.code_id}:
        raise invalid_field("code", "The places were held with another code.")
    return opened


async def agree_price(
    conn: Connection, terms: SessionTerms, reservation: Reservation, opened: OpenedCode | None
) -> tuple[HeldItem, ...]:
    """Return what is held with the quotes of its order: those of the hold, unless a code is shown only now."""
    items = reservation.items
    if opened is None or opened.discount is None or any(item.code_id for item in items):
        return items
    charges_id = next((item.charges_id for item in items if item.charges_id), None)
    charges = await load_charges(conn, terms.organization_id, charges_id) if charges_id else None
    return quote_items(charges.in_currency(terms.currency) if charges else None, items, opened.discount)


def give_away(items: tuple[HeldItem, ...], reason: str) -> tuple[HeldItem, ...]:
    """Return what is held with quotes that take all of the price off."""
    quotes = waive([Places(item.ticket_type_id, item.price_minor, item.quantity) for item in items], reason)
    return tuple(replace(item, quote=quote) for item, quote in zip(items, quotes, strict=True))


async def take_code(conn: Connection, organization_id: UUID, code_id: UUID, buyer: str) -> Code:
    """Lock a code that an order may use; it is counted when that is written. Raises ``CodeNotValid`` if none is left.

    ``buyer`` is as ``buyer_of`` writes it.
    """
    code = await lock_code(conn, organization_id, code_id)
    limit = code.terms.per_buyer_max
    if limit is not None and await count_uses_of_buyer(conn, organization_id, code_id, buyer) >= limit:
        raise CodeNotValid
    return code
