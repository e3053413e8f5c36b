"""The directory: finds the organization of what is asked for by its id alone."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, connection

REMEMBERED_MAX = 50_000

Kind = Literal["api_key", "event", "session", "seat_map", "order", "payment", "refund", "ticket"]


async def register(conn: Connection, kind: Kind, organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Enter things of one kind, in the transaction that makes them."""
    await conn.execute(
        "INSERT INTO directory (id, organization_id, kind) SELECT unnest($1::uuid[]), $2, $3",
        ids,
        organization_id,
        kind,
    )


async def find_organization(pool: Pool, kind: Kind, thing_id: UUID) -> UUID | None:
    """Return whose it is, or None where nothing of that kind has the id.

    That never changes, so each process remembers it; what was deleted meanwhile is not found at its owner's either.
    """
    known = pool.organizations.get((kind, thing_id))
    if known is not None:
        return known
    async with connection(pool, NO_ORGANIZATION) as conn:
        found: UUID | None = await conn.fetchval(
            "SELECT organization_id FROM directory WHERE id = $1 AND kind = $2", thing_id, kind
        )
    if found is not None:
        if len(pool.organizations) >= REMEMBERED_MAX:
            pool.organizations.clear()
        pool.organizations[kind, thing_id] = found
    return found


async def forget(conn: Connection, kind: Kind, organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Strike things of one kind out, in the transaction that deletes them."""
    await conn.execute(
        "DELETE FROM directory WHERE id = ANY ($1::uuid[]) AND organization_id = $2 AND kind = $3",
        ids,
        organization_id,
        kind,
    )
