"""Delete an event of which nothing was ever held."""

from dataclasses import replace

from fullhouse.core.ids import MakeId
from fullhouse.events import queries, writes
from fullhouse.events.messages import EventCancelled, SessionCancelled
from fullhouse.events.rules import Event, EventStatus, SessionStatus, SessionTerms
from fullhouse.infra import directory, outbox
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection


async def delete_event(conn: Connection, make_id: MakeId, event: Event) -> None:
    """Delete an event that ``lock_event`` returned, with its sessions.

    The caller removed their stock, of which nothing was ever held. What was announced before is announced as
    cancelled, so that readers forget it.
    """
    organization_id, event_id = event.organization_id, event.event_id
    sessions = await queries.load_terms_of_event(conn, organization_id, event_id)
    session_ids = [terms.session_id for terms in sessions]
    await writes.delete_sessions(conn, organization_id, session_ids)
    await writes.delete_event(conn, organization_id, event_id)
    await directory.forget(conn, "session", organization_id, session_ids)
    await directory.forget(conn, "event", organization_id, [event_id])
    await outbox.append(conn, make_id, _facts(event, sessions))
    await record(conn, organization_id, Act("event.delete", "event", event_id, {"session_count": len(sessions)}))


def _facts(event: Event, sessions: list[SessionTerms]) -> list[EventCancelled | SessionCancelled]:
    public = event.status is EventStatus.PUBLISHED
    of_event = [EventCancelled(event.organization_id, event.event_id)] if public else []
    live = (terms for terms in sessions if terms.status is not SessionStatus.CANCELLED)
    return [*of_event, *(SessionCancelled(replace(terms, status=SessionStatus.CANCELLED)) for terms in live)]
