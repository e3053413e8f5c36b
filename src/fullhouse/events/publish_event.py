"""Publish an event: from now on the public sees it."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events import queries, writes
from fullhouse.events.messages import EventPublished
from fullhouse.events.rules import EventNotFound, EventWithoutSessions, SessionStatus, may_change
from fullhouse.infra import outbox
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection


async def publish_event(conn: Connection, make_id: MakeId, organization_id: UUID, event_id: UUID) -> list[UUID]:
    """Publish a draft that has at least one session that is not cancelled, and return the ids of its sessions.

    Publishing again changes and announces nothing, and returns none. Raises ``EventNotFound``, ``EventIsCancelled``,
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
        return []
    await outbox.append(conn, make_id, [EventPublished(organization_id, event_id)])
    await record(conn, organization_id, Act("event.publish", "event", event_id))
    return [session.session_id for session in sessions]
