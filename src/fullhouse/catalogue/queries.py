"""Reading what the public sees: lists of events, and counters as they are with lapsed holds given back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.events.queries import event_from
from fullhouse.events.rules import Event
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.stock import Counter


@dataclass(frozen=True, slots=True)
class EventSearch:
    """Which published events are asked for. ``text`` is taken literally, in any case; the dates may be open."""

    text: str = ""
    starts_from: datetime | None = None
    """Events that have not ended by then."""
    starts_until: datetime | None = None
    """Events that start before then."""


async def list_published_events(
    conn: Connection, search: EventSearch, after: tuple[datetime, UUID] | None, count_max: int
) -> list[Event]:
    """Return the next published events of all organizations by start, then id, after the last of the page before."""
    rows = await conn.fetch(
        """
        SELECT organization_id, event_id, name, description, location, time_zone, currency, status, starts_at, ends_at,
               created_at, updated_at, published_at, cancelled_at, per_buyer_max
        FROM events
        WHERE status = 'published' AND (starts_at, event_id) > (coalesce($1::timestamptz, '-infinity'), $2::uuid)
          AND ($3::timestamptz IS NULL OR coalesce(ends_at, starts_at) >= $3)
          AND ($4::timestamptz IS NULL OR starts_at < $4)
          AND ($5::text = '' OR strpos(lower(name), lower($5)) > 0 OR strpos(lower(location), lower($5)) > 0
               OR strpos(lower(description), lower($5)) > 0)
        ORDER BY starts_at, event_id LIMIT $6
        """,
        after[0] if after else None,
        after[1] if after else UUID(int=0),
        search.starts_from,
        search.starts_until,
        search.text,
        count_max,
    )
    return [event_from(row) for row in rows]


async def list_events_of(conn: Connection, organization_id: UUID, after: UUID | None, count_max: int) -> list[Event]:
    """Return an organization's events in every state, the newest first, after the last of the page before."""
    rows = await conn.fetch(
        """
        SELECT organization_id, event_id, name, description, location, time_zone, currency, status, starts_at, ends_at,
               created_at, updated_at, published_at, cancelled_at, per_buyer_max
        FROM events WHERE organization_id = $1 AND ($2::uuid IS NULL OR event_id < $2)
        ORDER BY event_id DESC LIMIT $3
        """,
        organization_id,
        after,
        count_max,
    )
    return [event_from(row) for row in rows]


async def sessions_to_come(conn: Connection, organization_id: UUID) -> list[UUID]:
    """Return the sessions of an organization that are not over, in order of id."""
    rows = await conn.fetch(
        """
        SELECT session_id FROM sessions
        WHERE organization_id = $1 AND status <> 'cancelled' AND coalesce(ends_at, starts_at) > clock_timestamp()
        ORDER BY session_id
        """,
        organization_id,
    )
    return [row["session_id"] for row in rows]


async def find_strangers(
    conn: Connection, organization_id: UUID, named: Mapping[str, Sequence[UUID]]
) -> dict[str, list[UUID]]:
    """Return what of the named events, sessions and ticket types an organization does not have, by name; empty: none.

    ``named`` has ``event_id``, ``session_ids`` and ``ticket_type_ids``.
    """
    row = await conn.fetchrow(
        """
        SELECT array(SELECT id FROM unnest($2::uuid[]) id WHERE NOT EXISTS (
                   SELECT FROM events WHERE organization_id = $1 AND event_id = id)) AS event_id,
               array(SELECT id FROM unnest($3::uuid[]) id WHERE NOT EXISTS (
                   SELECT FROM sessions WHERE organization_id = $1 AND session_id = id)) AS session_ids,
               array(SELECT id FROM unnest($4::uuid[]) id WHERE NOT EXISTS (
                   SELECT FROM ticket_types WHERE organization_id = $1 AND ticket_type_id = id)) AS ticket_type_ids
        """,
        organization_id,
        named["event_id"],
        named["session_ids"],
        named["ticket_type_ids"],
    )
    assert row is not None  # noqa: S101 (a SELECT of values gives a row)
    return {name: list(row[name]) for name in named if row[name]}


async def load_now(conn: Connection) -> datetime:
    """Return the database's time."""
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


async def load_counters(
    conn: Connection, organization_id: UUID, session_ids: Sequence[UUID], now: datetime
) -> dict[UUID, dict[UUID, Counter]]:
    """Return the counters of sessions by session and quota, with holds that have lapsed by then given back.

    One statement, whatever the number of sessions.
    """
    rows = await conn.fetch(
        """
        SELECT q.session_id, q.quota_id, q.kind, q.name, q.capacity,
               q.held - coalesce(lapsed.count, 0) AS held, q.sold, q.blocked
        FROM quotas q LEFT JOIN (
            SELECT r.session_id, drawn.quota_id, sum(drawn.count)::integer AS count
            FROM reservations r, unnest(r.quota_ids, r.quota_counts) AS drawn(quota_id, count)
            WHERE r.organization_id = $1 AND r.session_id = ANY ($2::uuid[])
              AND r.status = 'held' AND r.expires_at <= $3
            GROUP BY r.session_id, drawn.quota_id
        ) lapsed ON lapsed.session_id = q.session_id AND lapsed.quota_id = q.quota_id
        WHERE q.organization_id = $1 AND q.session_id = ANY ($2::uuid[])
        ORDER BY q.session_id, q.quota_id
        """,
        organization_id,
        session_ids,
        now,
    )
    counters: dict[UUID, dict[UUID, Counter]] = defaultdict(dict)
    for row in rows:
        counters[row["session_id"]][row["quota_id"]] = Counter(
            row["kind"], row["name"], row["capacity"], row["held"], row["sold"], row["blocked"]
        )
    return counters


async def load_seat_states(conn: Connection, organization_id: UUID, session_id: UUID) -> bytes:
    """Return the state of each seat in map order, one byte each."""
    digits: str | None = await conn.fetchval(
        """
        SELECT string_agg(state::text, '' ORDER BY seat_index) FROM seats
        WHERE organization_id = $1 AND session_id = $2
        """,
        organization_id,
        session_id,
    )
    return (digits or "").encode().translate(_DIGITS_TO_NUMBERS)


async def load_lapsed_seats(conn: Connection, organization_id: UUID, session_id: UUID, now: datetime) -> list[int]:
    """Return the seats of holds that have lapsed by then and were not given back yet."""
    rows = await conn.fetch(
        """
        SELECT unnest(seats) AS seat FROM reservations
        WHERE organization_id = $1 AND session_id = $2 AND status = 'held' AND expires_at <= $3
        """,
        organization_id,
        session_id,
        now,
    )
    return [row["seat"] for row in rows]


_DIGITS_TO_NUMBERS = bytes.maketrans(b"0123", bytes(range(4)))


async def load_version_and_now(
    conn: Connection, organization_id: UUID, session_id: UUID
) -> tuple[int, datetime] | None:
    """Return the latest version of a session's stock and the database's time, in one small statement."""
    row = await conn.fetchrow(
        """
        SELECT version, clock_timestamp() AS now FROM stock WHERE organization_id = $1 AND session_id = $2
        """,
        organization_id,
        session_id,
    )
    return None if row is None else (row["version"], row["now"])


async def load_map_version(conn: Connection, organization_id: UUID, seat_map_id: UUID) -> int | None:
    """Return the version of a seat map."""
    version: int | None = await conn.fetchval(
        "SELECT version FROM seat_maps WHERE organization_id = $1 AND seat_map_id = $2", organization_id, seat_map_id
    )
    return version
