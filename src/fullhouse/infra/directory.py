"""The directory: finds the organization of what is asked for by its id alone."""

from collections.abc import Iterable, Sequence
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
    return (await find_organizations(pool, kind, [thing_id])).get(thing_id)


async def find_organizations(pool: Pool, kind: Kind, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the same of several things, by their ids; what is not found is left out."""
    known = {one: owner for one in ids if (owner := pool.organizations.get((kind, one))) is not None}
    asked = [one for one in ids if one not in known]
    if not asked:
        return known
    async with connection(pool, NO_ORGANIZATION) as conn:
        rows = await conn.fetch(
            "SELECT id, organization_id FROM directory WHERE id = ANY ($1::uuid[]) AND kind = $2", asked, kind
        )
    for row in rows:
        remember(pool, kind, row["organization_id"], [row["id"]])
    return known | {row["id"]: row["organization_id"] for row in rows}


def remember(pool: Pool, kind: Kind, organization_id: UUID, ids: Iterable[UUID]) -> None:
    """Remember whose things are, after the commit that made them: who asks next need not look."""
    if len(pool.organizations) >= REMEMBERED_MAX:
        pool.organizations.clear()
    pool.organizations.update({(kind, one): organization_id for one in ids})


async def forget(conn: Connection, kind: Kind, organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Strike things of one kind out, in the transaction that deletes them."""
    await conn.execute(
        "DELETE FROM directory WHERE id = ANY ($1::uuid[]) AND organization_id = $2 AND kind = $3",
        ids,
        organization_id,
        kind,
    )
