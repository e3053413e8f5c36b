"""What `fullhouse verify` would say of the money of one organization."""

from uuid import UUID

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.operations.verify.money_checks import MONEY_CHECKS


async def broken_books(pool: Pool, organization_id: UUID) -> list[str]:
    """Name the checks of money that one organization's rows break now, those aside that wait for workers."""
    broken: list[str] = []
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        for check in MONEY_CHECKS:
            rows = [] if check.graced else await conn.fetch(check.query)
            broken += [check.name for row in rows if row["organization_id"] == organization_id]
    return broken
