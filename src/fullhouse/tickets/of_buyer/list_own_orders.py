"""Listing the orders of one mail address in all organizations, each read inside its own."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.secrets import derive_key
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.orders.queries import find_orders_of_email
from fullhouse.orders.rules import hash_email
from fullhouse.tickets.queries import load_summaries
from fullhouse.tickets.rules import OrderSummary


async def list_own_orders(
    pool: Pool, server_key: bytes, email: str, *, before: UUID | None, limit: int
) -> tuple[Sequence[OrderSummary], UUID | None]:
    """Return orders of an address, the newest first, and the id after which there are more, or None.

    Whoever asks must have shown that the address is theirs. A page may be shorter than ``limit`` where a buyer was
    erased at that moment. It costs one short transaction for each organization on the page.
    """
    email_hash = hash_email(derive_key(server_key, "order"), email)
    async with connection(pool, NO_ORGANIZATION) as conn:
        found = await find_orders_of_email(conn, email_hash, before=before, limit=limit + 1)
    shown = found[:limit]
    summaries: list[OrderSummary] = []
    for organization_id in sorted({one for one, _ in shown}):
        order_ids = [order_id for one, order_id in shown if one == organization_id]
        async with connection(pool, organization_id) as conn:
            summaries += await load_summaries(conn, organization_id, order_ids)
    newest_first = sorted(summaries, key=lambda summary: summary.order_id, reverse=True)
    return newest_first, shown[-1][1] if len(found) > limit else None
