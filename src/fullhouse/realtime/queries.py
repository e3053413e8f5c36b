"""Reading how far the sessions are that somebody watches."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection


async def load_versions(
    conn: Connection, organization_id: UUID, session_ids: Sequence[UUID]
) -> tuple[dict[UUID, int], datetime]:
    """Return the versions of the stock of an organization's sessions, and the database's time."""
    row = await conn.fetchrow(
        """
        SELECT clock_timestamp() AS now, coalesce(array_agg(session_id), '{}') AS session_ids,
               coalesce(array_agg(version), '{}') AS versions
        FROM stock WHERE organization_id = $1 AND session_id = ANY ($2::uuid[])
        """,
        organization_id,
        session_ids,
    )
    assert row is not None  # noqa: S101 (an aggregate always has a row)
    return dict(zip(row["session_ids"], row["versions"], strict=True)), row["now"]
