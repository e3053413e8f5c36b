"""Forgetting requests for links that could not be served."""

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.tickets.writes import delete_old_link_requests

KEPT_DAYS = 7
"""A request that could not be served, since no mail server took it, is then forgotten."""


async def prune_link_requests(pool: Pool) -> int:
    """Forget what was asked for long ago; return how many requests."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        return await delete_old_link_requests(conn, KEPT_DAYS)
