"""Reading events and sessions."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from fullhouse.events.rules import (
    Event,
    EventStatus,
    LocalDates,
    PriceCategory,
    SessionStatus,
    SessionTerms,
    TicketType,
)
from fullhouse.events.wall_clock import to_wall_clock
from fullhouse.infra.postgres import Connection, Record
from fullhouse.pricing.rules import Charges, charges_from_json

_SESSIONS = """
    SELECT s.*, e.name AS event_name, e.status AS event_status, e.location, e.currency,
           e.per_buyer_max, c.charges_id, c.currency AS charges_currency, c.declaration
    FROM sessions s JOIN events e USING (organization_id, event_id)
    LEFT JOIN LATERAL (
        SELECT charges_id, currency, declaration FROM charges
        WHERE organization_id = s.organization_id AND ended_at IS NULL
          AND declared_for IN (s.session_id, s.event_id, s.organization_id)
        ORDER BY array_position(ARRAY['session', 'event', 'organization'], level) LIMIT 1
    ) c ON true
    WHERE s.organization_id = $1
    """


async def load_terms(conn: Connection, organization_id: UUID, session_id: UUID) -> SessionTerms | None:
    """Load a session's terms in three statements, or None where the organization has no such session."""
    session = await conn.fetchrow(_SESSIONS + "AND s.session_id = $2", organization_id, session_id)
    if session is None:
        return None
    (terms,) = await _terms_of(conn, organization_id, [session])
    return terms


async def load_terms_of_sessions(
    conn: Connection, organization_id: UUID, session_ids: Collection[UUID]
) -> dict[UUID, SessionTerms]:
    """Load the terms of sessions by their ids, in three statements whatever their number."""
    sessions = await conn.fetch(_SESSIONS + "AND s.session_id = ANY ($2::uuid[])", organization_id, session_ids)
    return {terms.session_id: terms for terms in await _terms_of(conn, organization_id, sessions)}


async def load_terms_of_event(conn: Connection, organization_id: UUID, event_id: UUID) -> list[SessionTerms]:
    """Load the terms of all sessions of an event, by start, in three statements whatever their number."""
    sessions = await conn.fetch(
        _SESSIONS + "AND s.event_id = $2 ORDER BY s.starts_at, s.session_id", organization_id, event_id
    )
    return await _terms_of(conn, organization_id, sessions)


async def _terms_of(conn: Connection, organization_id: UUID, sessions: list[Record]) -> list[SessionTerms]:
    ids = [session["session_id"] for session in sessions]
    categories = await conn.fetch(
        """
        SELECT session_id, price_category_id, key, name, quota_id FROM price_categories
        WHERE organization_id = $1 AND session_id = ANY ($2::uuid[]) ORDER BY position
        """,
        organization_id,
        ids,
    )
    types = await conn.fetch(
        """
        SELECT t.session_id, t.ticket_type_id, t.name, t.description, t.per_order_max, t.on_sale, t.quota_ids, t.hidden,
               p.price_category_id, p.price_minor
        FROM ticket_types t LEFT JOIN prices p USING (organization_id, session_id, ticket_type_id)
        WHERE t.organization_id = $1 AND t.session_id = ANY ($2::uuid[]) ORDER BY t.position
        """,
        organization_id,
        ids,
    )
    categories_of, types_of = _by_session(categories), _by_session(types)
    return [_terms(row, categories_of[row["session_id"]], types_of[row["session_id"]]) for row in sessions]


async def load_event_names(conn: Connection, organization_id: UUID, session_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return what the events of sessions are called, by session."""
    rows = await conn.fetch(
        """
        SELECT s.session_id, e.name FROM sessions s JOIN events e USING (organization_id, event_id)
        WHERE s.organization_id = $1 AND s.session_id = ANY ($2::uuid[])
        """,
        organization_id,
        session_ids,
    )
    return {row["session_id"]: row["name"] for row in rows}


async def find_cancelled(conn: Connection, organization_id: UUID, session_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these sessions that do not take place."""
    rows = await conn.fetch(
        """
        SELECT session_id FROM sessions
        WHERE organization_id = $1 AND session_id = ANY ($2::uuid[]) AND status = 'cancelled'
        """,
        organization_id,
        session_ids,
    )
    return {row["session_id"] for row in rows}


async def load_event(conn: Connection, organization_id: UUID, event_id: UUID) -> Event | None:
    """Load an event, or None where the organization has none of that id."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, event_id, name, description, location, time_zone, currency, status, starts_at, ends_at,
               created_at, updated_at, published_at, cancelled_at, per_buyer_max
        FROM events WHERE organization_id = $1 AND event_id = $2
        """,
        organization_id,
        event_id,
    )
    return None if row is None else event_from(row)


async def session_ids_of(conn: Connection, organization_id: UUID, event_id: UUID) -> list[UUID]:
    """Return the ids of all sessions of an event, in order of id, which is the order in which they are locked."""
    rows = await conn.fetch(
        "SELECT session_id FROM sessions WHERE organization_id = $1 AND event_id = $2 ORDER BY session_id",
        organization_id,
        event_id,
    )
    return [row["session_id"] for row in rows]


def event_from(row: Record) -> Event:
    """Make an event of a row that has its columns."""
    columns = dict(row)
    columns["status"] = EventStatus(row["status"])
    return Event(**columns)


def _terms(session: Record, categories: list[Record], types: list[Record]) -> SessionTerms:
    return SessionTerms(
        organization_id=session["organization_id"],
        event_id=session["event_id"],
        event_name=session["event_name"],
        event_status=EventStatus(session["event_status"]),
        location=session["location"],
        session_id=session["session_id"],
        session_name=session["name"],
        status=SessionStatus(session["status"]),
        currency=session["currency"],
        time_zone=session["time_zone"],
        starts_at=session["starts_at"],
        ends_at=session["ends_at"],
        sales_from=session["sales_from"],
        sales_until=session["sales_until"],
        entry_from=session["entry_from"],
        entry_until=session["entry_until"],
        gates=tuple(session["gates"]),
        seat_map_id=session["seat_map_id"],
        hold_seconds=session["hold_seconds"],
        per_order_max=session["per_order_max"],
        release_on_decline=session["release_on_decline"],
        reseat_equal=session["reseat_equal"],
        price_categories=tuple(_category(row) for row in categories),
        ticket_types=_ticket_types(types),
        local=_local_dates(session),
        per_buyer_max=session["per_buyer_max"],
        charges=_charges(session),
    )


def _charges(session: Record) -> Charges | None:
    if session["charges_id"] is None:
        return None
    declared = charges_from_json(session["charges_id"], session["charges_currency"], session["declaration"])
    return declared.in_currency(session["currency"])


def _category(row: Record) -> PriceCategory:
    return PriceCategory(row["price_category_id"], row["key"], row["name"], row["quota_id"])


def _by_session(rows: list[Record]) -> defaultdict[UUID, list[Record]]:
    grouped: defaultdict[UUID, list[Record]] = defaultdict(list)
    for row in rows:
        grouped[row["session_id"]].append(row)
    return grouped


def _local_dates(session: Record) -> LocalDates:
    return LocalDates(
        starts=session["starts_local"],
        ends=session["ends_local"],
        sales_from=session["sales_from_local"],
        sales_until=session["sales_until_local"],
        entry_from=_shown(session["entry_from"], session["time_zone"]),
        entry_until=_shown(session["entry_until"], session["time_zone"]),
    )


def _shown(instant: datetime | None, time_zone: str) -> datetime | None:
    return None if instant is None else to_wall_clock(instant, time_zone).local


def _ticket_types(rows: list[Record]) -> tuple[TicketType, ...]:
    prices: dict[UUID, dict[UUID, int]] = defaultdict(dict)
    first: dict[UUID, Record] = {}
    for row in rows:
        first.setdefault(row["ticket_type_id"], row)
        if row["price_category_id"] is not None:
            prices[row["ticket_type_id"]][row["price_category_id"]] = row["price_minor"]
    return tuple(
        TicketType(
            ticket_type_id=type_id,
            name=row["name"],
            description=row["description"],
            per_order_max=row["per_order_max"],
            on_sale=row["on_sale"],
            quota_ids=tuple(row["quota_ids"]),
            prices=prices[type_id],
            hidden=row["hidden"],
        )
        for type_id, row in first.items()
    )
