"""What is sent of a session: the whole at one version, and what became of the parts that changed. Pure.

A change says what its parts became, never by how much they moved. So it may be applied to any state between the
version from which it counts and its own, and twice: the state after it is the same.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fullhouse.catalogue.availability import Availability, Offer, availability_json, offers_of, pack_seats
from fullhouse.core.json import Json
from fullhouse.events.rules import SessionTerms
from fullhouse.reservations.stock import Stock, StockChange

HEARTBEAT = b":\n\n"
"""A comment: it keeps what stands between from closing a silent connection."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A session as it is shown: its stock at one version, the terms that were agreed for it, and whether it is sold."""

    stock: Stock
    terms: SessionTerms
    map_version: int | None
    on_sale: bool


def merge_changes(changes: Sequence[StockChange]) -> StockChange:
    """Say in one change what several in a row became. There is at least one."""
    seats: dict[int, int] = {}
    counters: dict[UUID, tuple[int, int, int, int]] = {}
    for change in changes:
        seats.update(zip(change.seats, change.seat_states, strict=True))
        counters.update(change.counters)
    return StockChange(
        version=changes[-1].version,
        seats=list(seats),
        seat_states=list(seats.values()),
        counters=counters,
        terms_changed=any(change.terms_changed for change in changes),
    )


def snapshot_json(watched: Watched) -> dict[str, Json]:
    """Return the whole, in the form of the availability answer."""
    stock, terms = watched.stock, watched.terms
    return availability_json(
        Availability(
            version=stock.version,
            map_version=watched.map_version,
            on_sale=watched.on_sale,
            offers=offers_of(terms, stock.counters),
            areas={one.name: max(one.available, 0) for one in stock.counters.values() if one.kind == "area"},
            seats=None if terms.seat_map_id is None else pack_seats(stock.seat_states),
        )
    )


def change_json(watched: Watched, change: StockChange) -> dict[str, Json]:
    """Return what a change made of the session; ``watched`` is the session after it."""
    stock, terms = watched.stock, watched.terms
    answer: dict[str, Json] = {"version": stock.version, "on_sale": watched.on_sale}
    drawn = _quotas_of_types(terms)
    touched = {type_id for type_id, quota_ids in drawn.items() if not quota_ids.isdisjoint(change.counters)}
    if touched:
        offers = offers_of(terms, stock.counters)
        answer["ticket_types"] = [_offer_json(one) for one in offers if one.ticket_type.ticket_type_id in touched]
    areas = [stock.counters[quota_id] for quota_id in change.counters if stock.counters[quota_id].kind == "area"]
    if areas:
        answer["areas"] = [{"key": one.name, "available": max(one.available, 0)} for one in areas]
    if change.seats:
        answer["seats"] = _seats_json(change, stock.seat_states)
    return answer


def _quotas_of_types(terms: SessionTerms) -> dict[UUID, frozenset[UUID]]:
    """Return the quotas on which each ticket type draws, by the type's id."""
    quota_of = {one.price_category_id: one.quota_id for one in terms.price_categories}
    return {
        kind.ticket_type_id: frozenset((*kind.quota_ids, *(quota_of[key] for key in kind.prices)))
        for kind in terms.ticket_types
    }


def _offer_json(offer: Offer) -> Json:
    return {
        "id": str(offer.ticket_type.ticket_type_id),
        "available": offer.available,
        "prices": [price.available for price in offer.prices],
    }


def _seats_json(change: StockChange, seat_states: bytearray) -> Json:
    """List seats by the state that they took; where that would be longer, pack all as a snapshot does."""
    if sum(len(str(seat)) + 1 for seat in change.seats) > len(seat_states) // 3:
        return b64encode(pack_seats(seat_states)).decode()
    by_state: Mapping[int, list[Json]] = {state: [] for state in change.seat_states}
    for seat, state in zip(change.seats, change.seat_states, strict=True):
        by_state[state].append(seat)
    return {str(state): seats for state, seats in by_state.items()}


def encode_event(name: Literal["snapshot", "change"], version: int, data: Mapping[str, Json]) -> bytes:
    """Write one event of a stream; its id is the version of the stock."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return f"id:{version}\nevent:{name}\ndata:{text}\n\n".encode()


def encode_retry(milliseconds: int) -> bytes:
    """Tell a client how long to wait before it connects again."""
    return f"retry:{milliseconds}\n\n".encode()
