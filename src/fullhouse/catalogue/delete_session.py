"""Delete a session, or a whole event, of which nothing was ever held."""

from uuid import UUID

from fullhouse.access.policies.event import may_delete
from fullhouse.catalogue.rules import StockWasHeld
from fullhouse.core.ids import MakeId
from fullhouse.events.delete_event import delete_event
from fullhouse.events.lock_terms import lock_event, lock_session
from fullhouse.events.queries import session_ids_of
from fullhouse.events.remove_session import remove_session
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.open_stock import close_stock


async def delete_session(conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID) -> None:
    """Delete a session with its stock.

    Raises ``SessionNotFound``, ``StockWasHeld``, and ``LastSession`` where a published event would have none left.
    """
    terms = await lock_session(conn, organization_id, session_id)
    if not may_delete(ever_held=not await close_stock(conn, organization_id, session_id)):
        raise StockWasHeld(session_id=str(session_id))
    await remove_session(conn, make_id, terms)
    await record(conn, organization_id, Act("session.delete", "session", session_id))


async def delete_unsold_event(conn: Connection, make_id: MakeId, organization_id: UUID, event_id: UUID) -> None:
    """Delete an event with its sessions and their stock. Raises ``EventNotFound``, ``StockWasHeld``."""
    event = await lock_event(conn, organization_id, event_id)
    for session_id in await session_ids_of(conn, organization_id, event_id):
        if not may_delete(ever_held=not await close_stock(conn, organization_id, session_id)):
            raise StockWasHeld(session_id=str(session_id))
    await delete_event(conn, make_id, event)
