"""Mark a session as cancelled."""

from dataclasses import replace

from fullhouse.core.ids import MakeId
from fullhouse.events import writes
from fullhouse.events.messages import SessionCancelled
from fullhouse.events.rules import SessionStatus, SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection


async def mark_session_cancelled(conn: Connection, make_id: MakeId, terms: SessionTerms) -> bool:
    """Cancel a session that ``lock_session`` returned. False where it was cancelled before: then nothing is announced.

    What was sold is not refunded here.
    """
    if not await writes.set_session_cancelled(conn, terms.organization_id, terms.session_id):
        return False
    await writes.set_event_dates(conn, terms.organization_id, terms.event_id)
    await outbox.append(conn, make_id, [SessionCancelled(replace(terms, status=SessionStatus.CANCELLED))])
    return True
