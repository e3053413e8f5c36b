"""Expiry: an expired reservation counts as free inside the transaction that claims its stock; the sweeper tidies up."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra import outbox
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.reservations import queries, writes
from fullhouse.reservations.blocked.give_back import give_back
from fullhouse.reservations.messages import ReservationExpired

EXPIRED_PER_BATCH_MAX = 5_000
SESSIONS_PER_SWEEP_MAX = 200


async def expire_reservations(pool: Pool, make_id: MakeId) -> int:
    """Sweep: end what has run out, a transaction for each session and batch. Returns how many ended."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        due = await queries.sessions_with_expired(conn, SESSIONS_PER_SWEEP_MAX)
    count = 0
    for organization_id, session_id in due:
        async with transaction(pool, organization_id) as conn:
            await writes.lock_stock(conn, organization_id, session_id)
            count += await expire_in_session(conn, make_id, organization_id, session_id)
    return count


async def expire_in_session(conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID) -> int:
    """End a session's reservations whose time has run out and free their stock. Returns how many.

    The caller holds the stock's lock. A reservation that is extended at the same time is either ended here first
    or has its new deadline already.
    """
    rows = await writes.expire_due(conn, organization_id, session_id, EXPIRED_PER_BATCH_MAX)
    if not rows:
        return 0
    version = await give_back(conn, organization_id, session_id, rows)
    ids = tuple(row["reservation_id"] for row in rows)
    await outbox.append(conn, make_id, [ReservationExpired(organization_id, session_id, version, ids)])
    return len(rows)
