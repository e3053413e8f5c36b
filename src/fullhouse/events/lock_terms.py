"""Lock an event and the terms of its sessions, so that a change is decided on what they are."""

from uuid import UUID

from fullhouse.events import queries, writes
from fullhouse.events.rules import Event, EventNotFound, SessionNotFound, SessionTerms
from fullhouse.infra.postgres import Connection


async def lock_session(conn: Connection, organization_id: UUID, session_id: UUID) -> SessionTerms:
    """Lock a session's event, and with it all of its terms, and return the session's. Raises ``SessionNotFound``.

    This lock comes before that of the stock.
    """
    if await writes.lock_event_of(conn, organization_id, session_id) is None:
        raise SessionNotFound
    terms = await queries.load_terms(conn, organization_id, session_id)
    if terms is None:
        raise SessionNotFound
    return terms


async def lock_event(conn: Connection, organization_id: UUID, event_id: UUID) -> Event:
    """Lock an event, to which a session is about to be added. Raises ``EventNotFound``."""
    event = await writes.lock_event(conn, organization_id, event_id)
    if event is None:
        raise EventNotFound
    return event
