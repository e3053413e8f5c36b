"""Change the terms of a session."""

from fullhouse.core.ids import MakeId
from fullhouse.events import writes
from fullhouse.events.messages import SessionChanged
from fullhouse.events.rules import SessionIsCancelled, SessionStatus, SessionTerms, may_change
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection


async def change_session(conn: Connection, make_id: MakeId, before: SessionTerms, after: SessionTerms) -> None:
    """Write the terms of a session that ``lock_session`` returned and the caller changed, and announce the change.

    Raises ``SessionIsCancelled``, ``EventIsCancelled``.
    """
    may_change(before.event_status)
    if before.status is SessionStatus.CANCELLED:
        raise SessionIsCancelled
    await writes.put_session(conn, after)
    await writes.set_event_dates(conn, after.organization_id, after.event_id)
    await outbox.append(conn, make_id, [SessionChanged(after, before)])
