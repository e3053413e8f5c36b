"""Set what is charged beside prices: for all of an organization, an event, or one session; and tell the desks."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fullhouse.catalogue.announce_event_changed import announce_event_changed
from fullhouse.catalogue.queries import sessions_to_come
from fullhouse.core.errors import invalid_field
from fullhouse.core.ids import MakeId
from fullhouse.events.lock_terms import lock_event, lock_session
from fullhouse.events.queries import session_ids_of
from fullhouse.infra.postgres import Connection
from fullhouse.pricing.declare_charges import declare_charges, withdraw_charges
from fullhouse.pricing.rules import Charges, Level


async def set_charges(
    conn: Connection, make_id: MakeId, organization_id: UUID, where: tuple[Level, UUID], charges: Charges | None
) -> Charges | None:
    """Declare fees and taxes there, or with None withdraw them, so that those above count. Returns them with their id.

    Holds from then on are priced by them; what is held or sold keeps its price. Raises ``EventNotFound``,
    ``SessionNotFound``, ``ChargesNotFound``, and ``Invalid`` for fixed amounts of another currency than the event's.
    """
    level, declared_for = where
    currency, session_ids = await _lock(conn, organization_id, level, declared_for)
    if charges is None:
        await withdraw_charges(conn, organization_id, level, declared_for)
    else:
        if currency not in {None, charges.currency} and any(fee.amount_minor for fee in charges.fees):
            raise invalid_field("currency", f"Amounts must be in {currency}, in which this is sold.")
        charges = replace(charges, charges_id=make_id())
        await declare_charges(conn, organization_id, level, declared_for, charges)
    await announce_event_changed(conn, organization_id, session_ids)
    return charges


async def _lock(
    conn: Connection, organization_id: UUID, level: Level, declared_for: UUID
) -> tuple[str | None, Sequence[UUID]]:
    """Lock what is declared for; return its currency, if it has one, and the sessions whose prices change."""
    if level is Level.SESSION:
        return (await lock_session(conn, organization_id, declared_for)).currency, [declared_for]
    if level is Level.EVENT:
        event = await lock_event(conn, organization_id, declared_for)
        return event.currency, await session_ids_of(conn, organization_id, declared_for)
    return None, await sessions_to_come(conn, organization_id)
