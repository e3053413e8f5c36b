"""The directory: finds the organization of what is asked for by its id alone."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from fullhouse.infra.postgres import Connection

Kind = Literal["api_key", "event", "session", "seat_map", "order", "payment", "ticket"]


async def register(conn: Connection, kind: Kind, organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Enter things of one kind, in the transaction that makes them."""
    await conn.execute(
        "INSERT INTO directory (id, organization_id, kind) SELECT unnest($1::uuid[]), $2, $3",
        ids,
        organization_id,
        kind,
    )


async def find_organization(conn: Connection, kind: Kind, thing_id: UUID) -> UUID | None:
    """Return whose it is, or None where nothing of that kind has the id."""
    found: UUID | None = await conn.fetchval(
        "SELECT organization_id FROM directory WHERE id = $1 AND kind = $2", thing_id, kind
    )
    return found


async def forget(conn: Connection, kind: Kind, organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Strike things of one kind out, in the transaction that deletes them."""
    await conn.execute(
        "DELETE FROM directory WHERE id = ANY ($1::uuid[]) AND organization_id = $2 AND kind = $3",
        ids,
        organization_id,
        kind,
    )
