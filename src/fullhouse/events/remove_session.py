"""Remove a session of which nothing was ever held."""

from dataclasses import replace

from fullhouse.core.ids import MakeId
from fullhouse.events import queries, writes
from fullhouse.events.messages import SessionCancelled
from fullhouse.events.rules import EventStatus, LastSession, SessionStatus, SessionTerms
from fullhouse.infra import directory, outbox
from fullhouse.infra.postgres import Connection


async def remove_session(conn: Connection, make_id: MakeId, terms: SessionTerms) -> None:
    """Delete a session that ``lock_session`` returned. The caller removed its stock, of which nothing was ever held.

    It is announced as cancelled, so that readers forget it. Raises ``LastSession`` where a published event would
    have none left.
    """
    organization_id, session_id = terms.organization_id, terms.session_id
    others = await queries.session_ids_of(conn, organization_id, terms.event_id)
    if terms.event_status is EventStatus.PUBLISHED and others == [session_id]:
        raise LastSession
    await writes.delete_sessions(conn, organization_id, [session_id])
    await writes.set_event_dates(conn, organization_id, terms.event_id)
    await directory.forget(conn, "session", organization_id, [session_id])
    await outbox.append(conn, make_id, [SessionCancelled(replace(terms, status=SessionStatus.CANCELLED))])
