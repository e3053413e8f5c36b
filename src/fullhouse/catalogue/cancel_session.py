"""Cancel a session: nothing of it is sold any more."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events.lock_terms import lock_session
from fullhouse.events.mark_session_cancelled import mark_session_cancelled
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.change_quota import announce_terms_changed


async def cancel_session(conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID) -> None:
    """Cancel a session and tell every desk. Cancelling again changes nothing. Raises ``SessionNotFound``."""
    terms = await lock_session(conn, organization_id, session_id)
    if await mark_session_cancelled(conn, make_id, terms):
        await announce_terms_changed(conn, organization_id, session_id)
        await record(conn, organization_id, Act("session.cancel", "session", session_id))
