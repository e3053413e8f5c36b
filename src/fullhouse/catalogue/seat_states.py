"""The states of a session's seats, brought up to date by what changed since they were read last.

So what a change costs does not grow with the room: 200,000 seats are read once, and then a few at a time.
"""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.catalogue import queries
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.queries import load_changes

CHANGES_MAX = 5_000
"""Who is further behind reads all seats anew."""


@dataclass(frozen=True, slots=True)
class SeatStates:
    """One state for each seat in map order, as of a version."""

    version: int
    states: bytes


async def load_seat_states(
    conn: Connection, organization_id: UUID, session_id: UUID, version: int, known: SeatStates | None
) -> SeatStates:
    """Return the states as of the version of the caller's snapshot; ``known`` are those of an earlier one."""
    if known is not None and 0 <= version - known.version <= CHANGES_MAX:
        changes = await load_changes(conn, organization_id, session_id, known.version, version)
        if changes is not None:
            states = bytearray(known.states)
            for change in changes:
                for seat, state in zip(change.seats, change.seat_states, strict=True):
                    states[seat] = state
            return SeatStates(version, bytes(states))
    return SeatStates(version, await queries.load_seat_states(conn, organization_id, session_id))
