"""Add a session to an event, with its price categories, ticket types and prices."""

from fullhouse.core.ids import MakeId
from fullhouse.events import queries, writes
from fullhouse.events.messages import SessionScheduled
from fullhouse.events.rules import SESSIONS_PER_EVENT_MAX, SessionTerms, TooManySessions, may_change
from fullhouse.infra import directory, outbox
from fullhouse.infra.postgres import Connection


async def add_session(conn: Connection, make_id: MakeId, terms: SessionTerms) -> None:
    """Write a new session, of which the caller decided all terms and holds the lock of the event.

    Raises ``EventIsCancelled``, ``TooManySessions``.
    """
    may_change(terms.event_status)
    if len(await queries.session_ids_of(conn, terms.organization_id, terms.event_id)) >= SESSIONS_PER_EVENT_MAX:
        raise TooManySessions(sessions_max=SESSIONS_PER_EVENT_MAX)
    await writes.put_session(conn, terms)
    await writes.set_event_dates(conn, terms.organization_id, terms.event_id)
    await directory.register(conn, "session", terms.organization_id, [terms.session_id])
    await outbox.append(conn, make_id, [SessionScheduled(terms)])
