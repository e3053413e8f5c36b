"""Making the answer what is left of a session, from Postgres: in a few statements, whatever the size of its room."""

from datetime import datetime
from uuid import UUID

from fullhouse.catalogue import queries
from fullhouse.catalogue.availability import (
    Availability,
    availability_json,
    encode_body,
    freed,
    next_change_by_time,
    offers_of,
    pack_seats,
)
from fullhouse.catalogue.seat_states import SeatStates, load_seat_states
from fullhouse.catalogue.show_event import is_public
from fullhouse.catalogue.shown_availability import Shown
from fullhouse.events.queries import load_event, load_terms
from fullhouse.events.rules import SessionNotFound, SessionTerms
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.queries import load_next_expiry


async def make_availability(
    conn: Connection, organization_id: UUID, session_id: UUID, known: SeatStates | None = None
) -> tuple[Shown, SeatStates | None]:
    """Make the answer in at most ten statements, and return the states of seats that it was made from.

    ``known`` are those of an earlier answer. The caller gives one snapshot for all statements. Raises
    ``SessionNotFound``.
    """
    found = await queries.load_version_and_now(conn, organization_id, session_id)
    terms = await load_terms(conn, organization_id, session_id)
    event = None if terms is None else await load_event(conn, organization_id, terms.event_id)
    if found is None or terms is None or event is None:
        raise SessionNotFound
    version, now = found
    seats = None
    if terms.seat_map_id is not None:
        seats = await load_seat_states(conn, organization_id, session_id, version, known)
    body, etag = encode_body(availability_json(await _load(conn, terms, version, now, seats)))
    next_expiry = await load_next_expiry(conn, organization_id, session_id, now)
    shown = Shown(
        organization_id=organization_id,
        version=version,
        etag=etag,
        public=is_public(event),
        valid_until=next_change_by_time(terms, now, next_expiry),
        body=body,
    )
    return shown, seats


async def _load(
    conn: Connection, terms: SessionTerms, version: int, now: datetime, seats: SeatStates | None
) -> Availability:
    organization_id, session_id = terms.organization_id, terms.session_id
    all_counters = await queries.load_counters(conn, organization_id, [session_id], now)
    counters = all_counters[session_id]
    map_version, packed = None, None
    if terms.seat_map_id is not None and seats is not None:
        map_version = await queries.load_map_version(conn, organization_id, terms.seat_map_id)
        lapsed = await queries.load_lapsed_seats(conn, organization_id, session_id, now)
        packed = pack_seats(freed(seats.states, lapsed))
    return Availability(
        version=version,
        map_version=map_version,
        on_sale=terms.on_sale_at(now),
        offers=offers_of(terms, counters),
        areas={one.name: max(one.available, 0) for one in counters.values() if one.kind == "area"},
        seats=packed,
    )
