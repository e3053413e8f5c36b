"""The inbox: a row for each thing that was reacted to, written in the transaction of the reaction."""

from collections.abc import Collection
from uuid import UUID

from fullhouse.infra.postgres import Connection


async def first_time(conn: Connection, organization_id: UUID, source: str, thing_id: str) -> bool:
    """Enter what is about to be reacted to. False means that it was reacted to before, so do nothing.

    A second consumer of the same thing waits here until the first commits or rolls back.
    """
    tag = await conn.execute(
        "INSERT INTO inbox (organization_id, source, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        organization_id,
        source,
        thing_id,
    )
    return tag == "INSERT 0 1"


async def first_times(conn: Connection, organization_id: UUID, source: str, thing_ids: Collection[str]) -> set[str]:
    """Enter several things at once, and return those that were not reacted to before.

    They are entered in their own order, so that two consumers of the same things wait for one another in turn.
    """
    rows = await conn.fetch(
        """
        INSERT INTO inbox (organization_id, source, id) SELECT $1, $2, unnest($3::text[])
        ON CONFLICT DO NOTHING RETURNING id
        """,
        organization_id,
        source,
        sorted(thing_ids),
    )
    return {row["id"] for row in rows}
