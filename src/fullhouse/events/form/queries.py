"""Reading what an event asks."""

from collections.abc import Collection
from uuid import UUID

from fullhouse.events.form.rules import NOTHING, ConsentText, Form, Question
from fullhouse.infra.postgres import Connection, Record


async def load_form(conn: Connection, organization_id: UUID, event_id: UUID) -> Form:
    """Load what an event asks now; ``NOTHING`` where it never asked anything."""
    row = await conn.fetchrow(
        """
        SELECT version_number, holders, questions, consents FROM event_forms
        WHERE organization_id = $1 AND event_id = $2 ORDER BY version_number DESC LIMIT 1
        """,
        organization_id,
        event_id,
    )
    return NOTHING if row is None else _form(row)


async def load_forms(conn: Connection, organization_id: UUID, event_ids: Collection[UUID]) -> dict[UUID, Form]:
    """Load what several events ask now."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (event_id) event_id, version_number, holders, questions, consents FROM event_forms
        WHERE organization_id = $1 AND event_id = ANY ($2::uuid[]) ORDER BY event_id, version_number DESC
        """,
        organization_id,
        event_ids,
    )
    return dict.fromkeys(event_ids, NOTHING) | {row["event_id"]: _form(row) for row in rows}


def _form(row: Record) -> Form:
    return Form(
        version=row["version_number"],
        holders=row["holders"],
        questions=tuple(
            Question(one["key"], one["text"], one["scope"], one["required"], tuple(one["choices"]))
            for one in row["questions"]
        ),
        consents=tuple(
            ConsentText(one["purpose"], one["text"], one["required"], one["text_version"]) for one in row["consents"]
        ),
    )
