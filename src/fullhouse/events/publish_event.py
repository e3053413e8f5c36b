"""Publish an event: from now on the public sees it."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events import queries, writes
from fullhouse.events.messages import EventPublished
from fullhouse.events.rules import Event, EventNotFound, EventWithoutSessions, SessionStatus, may_change
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection


async def publish_event(conn: Connection, make_id: MakeId, organization_id: UUID, event_id: UUID) -> Event:
    """Publish a draft that has at least one session that is not cancelled, and return the event.

    Publishing again changes and announces nothing. Raises ``EventNotFound``, ``EventIsCancelled``,
    ``EventWithoutSessions``.
    """
    event = await writes.lock_event(conn, organization_id, event_id)
    if event is None:
        raise EventNotFound
    may_change(event.status)
    sessions = await queries.load_terms_of_event(conn, organization_id, event_id)
    if all(session.status is SessionStatus.CANCELLED for session in sessions):
        raise EventWithoutSessions
    if not await writes.set_published(conn, organization_id, event_id):
        return event
    await outbox.append(conn, make_id, [EventPublished(organization_id, event_id)])
    published = await queries.load_event(conn, organization_id, event_id)
    assert published is not None  # noqa: S101 (it is locked by this transaction)
    return published
