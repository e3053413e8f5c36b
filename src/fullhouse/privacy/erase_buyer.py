"""Forgetting a buyer: the rows at once, in one transaction, and then the documents and our copies of mails.

Orders, tickets, money and stock stay, without the person. Tickets stay valid: their codes hold no name.
"""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.orders.erase_persons import erase_persons
from fullhouse.payments.erase_notices import erase_notices
from fullhouse.privacy.queries import find_old_orders, find_orders_of, find_unswept
from fullhouse.privacy.rules import refuse_ahead
from fullhouse.privacy.writes import note_erased, note_swept
from fullhouse.tickets.erase_documents import erase_documents
from fullhouse.tickets.mail_tickets import Mailroom

SETTLE_SECONDS = 900.0
"""Whoever was rendering or mailing while the rows went has ended by then: documents are removed once more."""

BATCH_COUNT = 200
BATCHES_MAX = 20


async def erase_buyer(
    pool: Pool, mailroom: Mailroom, organization_id: UUID, email: str, *, including_ahead: bool
) -> list[UUID]:
    """Erase a buyer from an organization, and return their orders. Erasing again finds none.

    Raises ``SessionsAhead`` unless orders of sessions that are still ahead are to be erased too.
    """
    async with transaction(pool, organization_id) as conn:
        found = await find_orders_of(conn, organization_id, email)
        if not including_ahead:
            refuse_ahead(found)
        order_ids = [order.order_id for order in found]
        await _erase_rows(conn, organization_id, order_ids)
    for order_id in order_ids:
        await erase_documents(pool, mailroom, organization_id, order_id)
    return order_ids


async def erase_old_buyers(pool: Pool, mailroom: Mailroom, days: int) -> int:
    """Erase the buyers of sessions that ended so many days ago. Returns of how many orders."""
    count = 0
    for _ in range(BATCHES_MAX if days else 0):
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            found = await find_old_orders(conn, days, BATCH_COUNT)
        for organization_id in sorted({one for one, _ in found}):
            order_ids = [order_id for one, order_id in found if one == organization_id]
            async with transaction(pool, organization_id) as conn:
                await _erase_rows(conn, organization_id, order_ids)
            for order_id in order_ids:
                await erase_documents(pool, mailroom, organization_id, order_id)
        count += len(found)
        if len(found) < BATCH_COUNT:
            break
    return count


async def sweep_erased(pool: Pool, mailroom: Mailroom, *, after_seconds: float = SETTLE_SECONDS) -> int:
    """Remove once more what was rendered or mailed while its buyer was being erased. Returns of how many orders."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        found = await find_unswept(conn, after_seconds, BATCH_COUNT)
    for organization_id, order_id in found:
        await erase_documents(pool, mailroom, organization_id, order_id)
        async with connection(pool, organization_id) as conn:
            await note_swept(conn, organization_id, order_id)
    return len(found)


async def _erase_rows(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    await erase_persons(conn, organization_id, order_ids)
    await erase_notices(conn, organization_id, order_ids)
    await note_erased(conn, organization_id, order_ids)
    act = Act("buyer.erase", "organization", organization_id, {"order_count": len(order_ids)})
    await record(conn, organization_id, act)
