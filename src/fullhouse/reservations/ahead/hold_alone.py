"""Holding for who is alone, in their own task: what ``Ahead`` and ``Flights`` do for many.

A lone buyer waits for each step of the way, so there are few.
"""

from fullhouse.infra.postgres import connection
from fullhouse.infra.tracing import batch_span
from fullhouse.reservations.ahead.hold_ahead import is_far_behind, note_written, wants_seats, write_one
from fullhouse.reservations.decide import Granted, decide
from fullhouse.reservations.hold_batch import outcomes_of
from fullhouse.reservations.waiting import Parts
from fullhouse.reservations.wish import Memory, Outcome, Wish


async def hold_alone(
    parts: Parts, memory: Memory, wish: Wish, traceparent: str | None, *, chooses_seats: bool
) -> Outcome | None:
    """Decide on a wish and write it without the lock, while nobody else is served at the desk.

    None where it has to be tried with the lock, and nothing was written. Whatever it raises, something may have been
    written, and memory is forgotten.
    """
    granted = _grant(memory, wish, chooses_seats=chooses_seats)
    if granted is None:
        return None
    try:
        async with connection(parts.pool, memory.organization_id) as conn:
            with batch_span("hold", (traceparent,)):
                written = await write_one(conn, parts.make_id(), memory, granted, wish.claim)
    except BaseException:
        memory.stock = None
        raise
    if written is None:
        if memory.stock is not None:
            memory.stock.give_back(granted.places.draw)
        return None
    note_written(memory, written)
    return outcomes_of(memory, (granted,), written.now)[0]


def _grant(memory: Memory, wish: Wish, *, chooses_seats: bool) -> Granted | None:
    """Take what a wish asks for in memory; None where memory cannot know, or refuses."""
    stock, terms, now = memory.stock, memory.terms, memory.now
    if stock is None or terms is None or now is None or is_far_behind(memory):
        return None
    may_choose_seats = chooses_seats and memory.behind_since is None
    if stock.seat_map is not None and not may_choose_seats and wants_seats(wish):
        return None
    try:
        (decision,) = decide(stock, terms, (wish.request,), now)
    except Exception:  # noqa: BLE001 (the way with the lock tries it again)
        memory.stock = None
        return None
    return decision if isinstance(decision, Granted) else None
