"""Checking that what a code names is there: an event, sessions and ticket types of the organization."""

from uuid import UUID

from fullhouse.catalogue.queries import find_strangers
from fullhouse.core.errors import invalid_field
from fullhouse.infra.postgres import Connection
from fullhouse.pricing.codes import CodeTerms


async def check_code(conn: Connection, organization_id: UUID, terms: CodeTerms) -> None:
    """Raise ``Invalid`` naming the field that names what the organization does not have."""
    named = {
        "event_id": [terms.event_id] if terms.event_id else [],
        "session_ids": sorted(terms.session_ids),
        "ticket_type_ids": sorted(terms.ticket_type_ids),
    }
    for field, strangers in (await find_strangers(conn, organization_id, named)).items():
        raise invalid_field(field, f"{strangers[0]} is not here.")
