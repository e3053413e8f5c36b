"""Declaring fees and taxes for an organization, an event or a session."""

from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.pricing import writes
from fullhouse.pricing.rules import Charges, ChargesNotFound, Level


async def declare_charges(
    conn: Connection, organization_id: UUID, level: Level, declared_for: UUID, charges: Charges
) -> None:
    """Put a declaration in the place of the one before. The caller locks what it is for, and tells the desks.

    What is held or sold keeps what it was priced at.
    """
    await writes.lock_charges(conn, declared_for)
    await writes.end_charges(conn, organization_id, declared_for)
    await writes.insert_charges(conn, organization_id, level, declared_for, charges)
    details = {"charges_id": str(charges.charges_id), **charges.to_json()}
    await record(conn, organization_id, Act("charges.declare", level.value, declared_for, details))


async def withdraw_charges(conn: Connection, organization_id: UUID, level: Level, declared_for: UUID) -> None:
    """End a declaration, so that the one above it counts. Raises ``ChargesNotFound`` where there is none."""
    await writes.lock_charges(conn, declared_for)
    if not await writes.end_charges(conn, organization_id, declared_for):
        raise ChargesNotFound
    await record(conn, organization_id, Act("charges.withdraw", level.value, declared_for))
