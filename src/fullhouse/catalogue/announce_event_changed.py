"""Tell the desks of an event's sessions that what they know of it is out of date."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations.change_quota import announce_terms_changed


async def announce_event_changed(conn: Connection, organization_id: UUID, session_ids: Sequence[UUID]) -> None:
    """Announce changed terms to the desks of sessions, in the transaction that changed their event.

    Stock is locked in order of the sessions' ids, so that two such transactions never wait for each other.
    """
    for session_id in sorted(session_ids):
        await announce_terms_changed(conn, organization_id, session_id)
