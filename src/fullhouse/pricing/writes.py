"""Writing declared fees and taxes. A declaration is never changed: it ends, and another takes its place."""

from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.pricing.rules import Charges, Level


async def lock_charges(conn: Connection, declared_for: UUID) -> None:
    """Let no other transaction declare anything there until this one has ended."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"charges {declared_for}")


async def end_charges(conn: Connection, organization_id: UUID, declared_for: UUID) -> bool:
    """End what is declared for something itself. False where nothing is."""
    tag = await conn.execute(
        """
        UPDATE charges SET ended_at = clock_timestamp()
        WHERE organization_id = $1 AND declared_for = $2 AND ended_at IS NULL
        """,
        organization_id,
        declared_for,
    )
    return tag != "UPDATE 0"


async def insert_charges(
    conn: Connection, organization_id: UUID, level: Level, declared_for: UUID, charges: Charges
) -> None:
    """Write a declaration. ``charges_in_force`` refuses a second one that has not ended."""
    await conn.execute(
        """
        INSERT INTO charges (organization_id, charges_id, level, declared_for, currency, declaration)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        organization_id,
        charges.charges_id,
        level.value,
        declared_for,
        charges.currency,
        charges.to_json(),
    )
