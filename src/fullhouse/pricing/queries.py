"""Reading declared fees and taxes, without locks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.pricing.rules import Charges, charges_from_json


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration that is in force, and since when."""

    charges: Charges
    declared_at: datetime


async def load_declared(conn: Connection, organization_id: UUID, declared_for: UUID) -> Declared | None:
    """Load what is declared for an organization, an event or a session itself; None where it inherits."""
    row = await conn.fetchrow(
        "SELECT * FROM charges WHERE organization_id = $1 AND declared_for = $2 AND ended_at IS NULL",
        organization_id,
        declared_for,
    )
    return Declared(_charges(row), row["declared_at"]) if row else None


async def load_charges(conn: Connection, organization_id: UUID, charges_id: UUID) -> Charges | None:
    """Load a declaration by its id, whether or not it is still in force."""
    row = await conn.fetchrow(
        "SELECT * FROM charges WHERE organization_id = $1 AND charges_id = $2", organization_id, charges_id
    )
    return _charges(row) if row else None


def _charges(row: Record) -> Charges:
    return charges_from_json(row["charges_id"], row["currency"], row["declaration"])
