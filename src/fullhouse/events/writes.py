"""Writing events and sessions. The row of the event is the lock for all of its sessions' terms."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fullhouse.events.queries import event_from
from fullhouse.events.rules import Event, EventFields, SessionTerms
from fullhouse.events.session_dates import local_dates
from fullhouse.infra.postgres import Connection


async def lock_event(conn: Connection, organization_id: UUID, event_id: UUID) -> Event | None:
    """Lock an event, and with it the terms of its sessions, until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, event_id, name, description, location, time_zone, currency, status, starts_at, ends_at,
               created_at, updated_at, published_at, cancelled_at, per_buyer_max
        FROM events WHERE organization_id = $1 AND event_id = $2 FOR NO KEY UPDATE
        """,
        organization_id,
        event_id,
    )
    return None if row is None else event_from(row)


async def lock_event_of(conn: Connection, organization_id: UUID, session_id: UUID) -> Event | None:
    """Lock the event of a session. None where the organization has no such session."""
    event_id = await conn.fetchval(
        "SELECT event_id FROM sessions WHERE organization_id = $1 AND session_id = $2", organization_id, session_id
    )
    return None if event_id is None else await lock_event(conn, organization_id, event_id)


async def insert_event(conn: Connection, organization_id: UUID, event_id: UUID, fields: EventFields) -> None:
    """Insert a draft."""
    await conn.execute(
        """
        INSERT INTO events (organization_id, event_id, name, description, location, time_zone, currency, per_buyer_max)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        organization_id,
        event_id,
        fields.name,
        fields.description,
        fields.location,
        fields.time_zone,
        fields.currency,
        fields.per_buyer_max,
    )


async def set_event_fields(conn: Connection, organization_id: UUID, event_id: UUID, fields: EventFields) -> None:
    """Write what its organization decides about an event."""
    await conn.execute(
        """
        UPDATE events SET name = $3, description = $4, location = $5, time_zone = $6, currency = $7,
                          per_buyer_max = $8, updated_at = clock_timestamp()
        WHERE organization_id = $1 AND event_id = $2
        """,
        organization_id,
        event_id,
        fields.name,
        fields.description,
        fields.location,
        fields.time_zone,
        fields.currency,
        fields.per_buyer_max,
    )


async def set_published(conn: Connection, organization_id: UUID, event_id: UUID) -> bool:
    """Make a draft public. False where it was not a draft."""
    tag = await conn.execute(
        """
        UPDATE events SET status = 'published', published_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE organization_id = $1 AND event_id = $2 AND status = 'draft'
        """,
        organization_id,
        event_id,
    )
    return tag == "UPDATE 1"


async def set_cancelled(conn: Connection, organization_id: UUID, event_id: UUID) -> list[UUID]:
    """Cancel an event and its sessions. Return the sessions that were not cancelled before."""
    await conn.execute(
        """
        UPDATE events SET status = 'cancelled', cancelled_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE organization_id = $1 AND event_id = $2 AND status <> 'cancelled'
        """,
        organization_id,
        event_id,
    )
    rows = await conn.fetch(
        """
        UPDATE sessions SET status = 'cancelled', cancelled_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE organization_id = $1 AND event_id = $2 AND status <> 'cancelled' RETURNING session_id
        """,
        organization_id,
        event_id,
    )
    return sorted(row["session_id"] for row in rows)


async def set_session_cancelled(conn: Connection, organization_id: UUID, session_id: UUID) -> bool:
    """Cancel one session. False where it was cancelled before."""
    tag = await conn.execute(
        """
        UPDATE sessions SET status = 'cancelled', cancelled_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE organization_id = $1 AND session_id = $2 AND status <> 'cancelled'
        """,
        organization_id,
        session_id,
    )
    return tag == "UPDATE 1"


async def set_event_dates(conn: Connection, organization_id: UUID, event_id: UUID) -> None:
    """Bring the first start and the last end of an event up to date with its sessions.

    Cancelled sessions count only where there are no others.
    """
    await conn.execute(
        """
        UPDATE events SET (starts_at, ends_at) = (
            SELECT coalesce(min(starts_at) FILTER (WHERE status <> 'cancelled'), min(starts_at)),
                   coalesce(max(coalesce(ends_at, starts_at)) FILTER (WHERE status <> 'cancelled'),
                            max(coalesce(ends_at, starts_at)))
            FROM sessions s WHERE s.organization_id = $1 AND s.event_id = $2
        ), updated_at = clock_timestamp()
        WHERE organization_id = $1 AND event_id = $2
        """,
        organization_id,
        event_id,
    )


async def put_session(conn: Connection, terms: SessionTerms) -> None:
    """Write a session, new or changed, with its price categories, ticket types and prices, in five statements."""
    await _put_session_row(conn, terms)
    await _put_price_categories(conn, terms)
    await _put_ticket_types(conn, terms)
    await _put_prices(conn, terms)


async def delete_sessions(conn: Connection, organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Delete sessions with all of their terms."""
    await conn.execute(
        "DELETE FROM prices WHERE organization_id = $1 AND session_id = ANY ($2::uuid[])", organization_id, ids
    )
    await conn.execute(
        "DELETE FROM ticket_types WHERE organization_id = $1 AND session_id = ANY ($2::uuid[])", organization_id, ids
    )
    await conn.execute(
        "DELETE FROM price_categories WHERE organization_id = $1 AND session_id = ANY ($2::uuid[])",
        organization_id,
        ids,
    )
    await conn.execute(
        "DELETE FROM sessions WHERE organization_id = $1 AND session_id = ANY ($2::uuid[])", organization_id, ids
    )


async def delete_event(conn: Connection, organization_id: UUID, event_id: UUID) -> None:
    """Delete an event that has no sessions left."""
    await conn.execute("DELETE FROM events WHERE organization_id = $1 AND event_id = $2", organization_id, event_id)


async def insert_form(
    conn: Connection, organization_id: UUID, event_id: UUID, version: int, form: Mapping[str, Any]
) -> None:
    """Add a version of what an event asks. The event is locked by the caller."""
    await conn.execute(
        """
        INSERT INTO event_forms (organization_id, event_id, version_number, holders, questions, consents)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        organization_id,
        event_id,
        version,
        form["holders"],
        form["questions"],
        form["consents"],
    )


async def _put_session_row(conn: Connection, terms: SessionTerms) -> None:
    local = local_dates(terms)
    await conn.execute(
        """
        INSERT INTO sessions (
            organization_id, session_id, event_id, name, status, time_zone, starts_local, starts_at, ends_local,
            ends_at, sales_from_local, sales_from, sales_until_local, sales_until, entry_from, entry_until, seat_map_id,
            hold_seconds, per_order_max, release_on_decline, reseat_equal, gates)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        ON CONFLICT (organization_id, session_id) DO UPDATE SET
            (name, status, time_zone, starts_local, starts_at, ends_local, ends_at, sales_from_local, sales_from,
             sales_until_local, sales_until, entry_from, entry_until, hold_seconds, per_order_max, release_on_decline,
             reseat_equal, gates, updated_at)
            = ($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $18, $19, $20, $21, $22, clock_timestamp())
        """,
        terms.organization_id,
        terms.session_id,
        terms.event_id,
        terms.session_name,
        terms.status.value,
        terms.time_zone,
        local.starts,
        terms.starts_at,
        local.ends,
        terms.ends_at,
        local.sales_from,
        terms.sales_from,
        local.sales_until,
        terms.sales_until,
        terms.entry_from,
        terms.entry_until,
        terms.seat_map_id,
        terms.hold_seconds,
        terms.per_order_max,
        terms.release_on_decline,
        terms.reseat_equal,
        list(terms.gates),
    )


async def _put_price_categories(conn: Connection, terms: SessionTerms) -> None:
    categories = terms.price_categories
    await conn.execute(
        """
        INSERT INTO price_categories (organization_id, session_id, price_category_id, key, name, position, quota_id)
        SELECT $1, $2, c.* FROM unnest($3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::uuid[]) c
        ON CONFLICT (organization_id, session_id, price_category_id) DO UPDATE SET
            name = excluded.name, position = excluded.position
        """,
        terms.organization_id,
        terms.session_id,
        [category.price_category_id for category in categories],
        [category.key for category in categories],
        [category.name for category in categories],
        list(range(len(categories))),
        [category.quota_id for category in categories],
    )


async def _put_ticket_types(conn: Connection, terms: SessionTerms) -> None:
    types = terms.ticket_types
    # An array of arrays must be a rectangle, so the quotas of each type travel as one text.
    await conn.execute(
        """
        INSERT INTO ticket_types (organization_id, session_id, ticket_type_id, name, description, position,
                                  per_order_max, on_sale, quota_ids, hidden)
        SELECT $1, $2, t.id, t.name, t.description, t.position, t.per_order_max, t.on_sale,
               string_to_array(t.quota_ids, ',')::uuid[], t.hidden
        FROM unnest($3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::integer[], $8::boolean[], $9::text[],
                    $10::boolean[]) t(id, name, description, position, per_order_max, on_sale, quota_ids, hidden)
        ON CONFLICT (organization_id, session_id, ticket_type_id) DO UPDATE SET
            name = excluded.name, description = excluded.description, position = excluded.position,
            per_order_max = excluded.per_order_max, on_sale = excluded.on_sale, hidden = excluded.hidden
        """,
        terms.organization_id,
        terms.session_id,
        [kind.ticket_type_id for kind in types],
        [kind.name for kind in types],
        [kind.description for kind in types],
        list(range(len(types))),
        [kind.per_order_max for kind in types],
        [kind.on_sale for kind in types],
        [",".join(str(quota_id) for quota_id in kind.quota_ids) for kind in types],
        [kind.hidden for kind in types],
    )


async def _put_prices(conn: Connection, terms: SessionTerms) -> None:
    prices = [(t.ticket_type_id, category, price) for t in terms.ticket_types for category, price in t.prices.items()]
    pairs = [row[0] for row in prices], [row[1] for row in prices]
    await conn.execute(
        """
        DELETE FROM prices WHERE organization_id = $1 AND session_id = $2
            AND (ticket_type_id, price_category_id) NOT IN (SELECT * FROM unnest($3::uuid[], $4::uuid[]))
        """,
        terms.organization_id,
        terms.session_id,
        *pairs,
    )
    await conn.execute(
        """
        INSERT INTO prices (organization_id, session_id, ticket_type_id, price_category_id, price_minor)
        SELECT $1, $2, p.* FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) p
        ON CONFLICT (organization_id, session_id, ticket_type_id, price_category_id) DO UPDATE SET
            price_minor = excluded.price_minor
        """,
        terms.organization_id,
        terms.session_id,
        *pairs,
        [row[2] for row in prices],
    )
