"""Reading events and sessions."""

from collections import defaultdict
from uuid import UUID

from fullhouse.events.rules import EventStatus, PriceCategory, SessionStatus, SessionTerms, TicketType
from fullhouse.infra.postgres import Connection, Record


async def load_terms(conn: Connection, organization_id: UUID, session_id: UUID) -> SessionTerms | None:
    """Load a session's terms in three statements, or None where the organization has no such session."""
    session = await conn.fetchrow(
        """
        SELECT s.*, e.name AS event_name, e.status AS event_status, e.location, e.currency
        FROM sessions s JOIN events e USING (organization_id, event_id)
        WHERE s.organization_id = $1 AND s.session_id = $2
        """,
        organization_id,
        session_id,
    )
    if session is None:
        return None
    categories = await conn.fetch(
        """
        SELECT price_category_id, key, name, quota_id FROM price_categories
        WHERE organization_id = $1 AND session_id = $2 ORDER BY position
        """,
        organization_id,
        session_id,
    )
    types = await conn.fetch(
        """
        SELECT t.ticket_type_id, t.name, t.description, t.per_order_max, t.on_sale, t.quota_ids,
               p.price_category_id, p.price_minor
        FROM ticket_types t LEFT JOIN prices p USING (organization_id, session_id, ticket_type_id)
        WHERE t.organization_id = $1 AND t.session_id = $2 ORDER BY t.position
        """,
        organization_id,
        session_id,
    )
    return _terms(session, categories, types)


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
        price_categories=tuple(PriceCategory(**dict(row)) for row in categories),
        ticket_types=_ticket_types(types),
    )


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
        )
        for type_id, row in first.items()
    )
