"""Deleting what has ended in accounts."""

from fullhouse.identity.writes import delete_what_ended
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection


async def prune_tokens(pool: Pool) -> int:
    """Delete sign-ins ninety days after their end, links, and attempts elsewhere. Return how many."""
    async with connection(pool, NO_ORGANIZATION) as conn:
        return await delete_what_ended(conn)
