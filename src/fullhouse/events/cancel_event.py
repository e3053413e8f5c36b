"""Cancel an event with all of its sessions."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events import queries, writes
from fullhouse.events.messages import EventCancelled, SessionCancelled
from fullhouse.events.rules import EventNotFound, EventStatus
from fullhouse.infra import outbox
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection


async def cancel_event(conn: Connection, make_id: MakeId, organization_id: UUID, event_id: UUID) -> list[UUID]:
    """Cancel an event and the sessions that were not cancelled yet, whose ids are returned in order.

    Cancelling again changes and announces nothing. What was sold is not refunded here. Raises ``EventNotFound``.
    """
    event = await writes.lock_event(conn, organization_id, event_id)
    if event is None:
        raise EventNotFound
    if event.status is EventStatus.CANCELLED:
        return []
    cancelled = set(await writes.set_cancelled(conn, organization_id, event_id))
    await writes.set_event_dates(conn, organization_id, event_id)
    sessions = await queries.load_terms_of_event(conn, organization_id, event_id)
    of_sessions = [SessionCancelled(terms) for terms in sessions if terms.session_id in cancelled]
    await outbox.append(conn, make_id, [EventCancelled(organization_id, event_id), *of_sessions])
    await record(conn, organization_id, Act("event.cancel", "event", event_id, {"session_count": len(of_sessions)}))
    return sorted(cancelled)
