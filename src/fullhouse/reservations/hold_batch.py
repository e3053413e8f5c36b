"""One batch of the desk: lock, catch up, decide, write. Everything in the caller's transaction.

A constant number of statements whatever the size of the session and of the batch.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import queries, writes
from fullhouse.reservations.decide import Decision, Granted, Request, decide, undo
from fullhouse.reservations.expire_reservations import expire_in_session
from fullhouse.reservations.kept_answers import find_answers, keep_refusals
from fullhouse.reservations.messages import ReservationHeld
from fullhouse.reservations.rules import (
    HOLD_SECONDS_TOTAL_MAX,
    Reservation,
    ReservationStatus,
    SeatState,
    SessionNotFound,
    draw_of,
)
from fullhouse.reservations.stock import Stock, StockChange
from fullhouse.reservations.wish import Memory, Outcome, Wish, divide
from fullhouse.reservations.writes import NewReservation, SeatMove, StockMove


async def hold_batch(
    conn: Connection, make_id: MakeId, memory: Memory, wishes: Sequence[Wish], *, retried: bool = False
) -> list[Outcome]:
    """Decide on wishes in order of arrival under the stock's lock, and write what they get.

    If it raises, or the transaction does not commit, the caller forgets ``memory.stock``. ``retried`` says that an
    earlier try may have been committed without an answer: what it wrote is looked up by id first.
    """
    version = await writes.lock_stock(conn, memory.organization_id, memory.session_id)
    memory.locked_version, memory.now = version, await queries.read_clock(conn)
    now = memory.now
    earlier = await _earlier_outcomes(conn, memory, wishes, retried=retried)
    rest = [wish for wish in wishes if wish.request.reservation_id not in earlier]
    if not rest:
        return [earlier[wish.request.reservation_id] for wish in wishes]
    batch = divide(rest)
    decisions = await _decide(conn, make_id, memory, version, [wish.request for wish in batch.leaders], now)
    decided = outcomes_of(memory, decisions, now)
    await _write(conn, make_id, memory, batch.leaders, decided)
    answers = dict(zip((wish.request.reservation_id for wish in rest), batch.answer(rest, decided), strict=True))
    return [(earlier | answers)[wish.request.reservation_id] for wish in wishes]


async def _earlier_outcomes(
    conn: Connection, memory: Memory, wishes: Sequence[Wish], *, retried: bool
) -> dict[UUID, Outcome]:
    """Find what earlier requests with the same keys got, and after a retry what the first try wrote."""
    outcomes: dict[UUID, Outcome] = {}
    if retried:
        for wish in wishes:
            written = await queries.load_reservation(conn, memory.organization_id, wish.request.reservation_id)
            if written is not None:
                outcomes[wish.request.reservation_id] = Outcome(written)
    answers = await find_answers(conn, memory, [wish.claim for wish in wishes if wish.claim])
    for wish in wishes:
        if wish.claim and wish.claim.key in answers and wish.request.reservation_id not in outcomes:
            outcomes[wish.request.reservation_id] = answers[wish.claim.key]
    return outcomes


async def _decide(
    conn: Connection, make_id: MakeId, memory: Memory, version: int, requests: Sequence[Request], now: datetime
) -> list[Decision]:
    stock, terms = await _catch_up(conn, memory, version)
    decisions = decide(stock, terms, requests, now)
    if any(not isinstance(one, Granted) and one.short for one in decisions):
        undo(stock, decisions)
        expired = await expire_in_session(conn, make_id, memory.organization_id, memory.session_id)
        if expired:
            stock, terms = await _catch_up(conn, memory, version + 1)
        decisions = decide(stock, terms, requests, now)
    return decisions


async def _catch_up(conn: Connection, memory: Memory, version: int) -> tuple[Stock, SessionTerms]:
    """Bring memory to the version that is locked: by what changed since, or by loading all."""
    stock, terms = memory.stock, memory.terms
    changes = None
    if stock is not None:
        since = stock.version if memory.behind_since is None else memory.behind_since
        changes = await _changes(conn, memory, since, version)
        if changes is None or any(change.counters.keys() - stock.counters.keys() for change in changes):
            stock = None
    if stock is None or terms is None or any(change.terms_changed for change in changes or ()):
        stock = await queries.load_stock(conn, memory.organization_id, memory.session_id)
        memory.terms_changes = await queries.load_terms_changes(conn, memory.organization_id, memory.session_id)
        terms = await load_terms(conn, memory.organization_id, memory.session_id)
        if terms is None:
            raise SessionNotFound
    else:
        for change in changes or ():
            stock.apply(change)
    memory.stock, memory.terms, memory.behind_since = stock, terms, None
    return stock, terms


async def _changes(conn: Connection, memory: Memory, after: int, until: int) -> Sequence[StockChange] | None:
    if after == until:
        return ()
    return await queries.load_changes(conn, memory.organization_id, memory.session_id, after, until)


def outcomes_of(memory: Memory, decisions: Sequence[Decision], now: datetime) -> list[Outcome]:
    """Return what is answered to decisions that count from an instant."""
    terms = memory.terms
    assert terms is not None  # noqa: S101 (loaded by _catch_up)
    expires_at = now + timedelta(seconds=terms.hold_seconds)
    expires_at_max = now + timedelta(seconds=HOLD_SECONDS_TOTAL_MAX)
    outcomes: list[Outcome] = []
    for decision in decisions:
        if not isinstance(decision, Granted):
            outcomes.append(Outcome(decision.error))
            continue
        request, places = decision
        reservation = Reservation(
            memory.organization_id,
            request.reservation_id,
            memory.session_id,
            ReservationStatus.HELD,
            request.token_hash,
            places.items,
            places.total_minor,
            terms.currency,
            now,
            expires_at,
            expires_at_max,
        )
        outcomes.append(Outcome(reservation))
    return outcomes


async def _write(
    conn: Connection, make_id: MakeId, memory: Memory, wishes: Sequence[Wish], outcomes: Sequence[Outcome]
) -> None:
    """Write stock, reservations with their keys, the message, and the refusals to keep of one batch."""
    held = [
        (outcome.result, wish.claim)
        for wish, outcome in zip(wishes, outcomes, strict=True)
        if isinstance(outcome.result, Reservation)
    ]
    if held:
        drawn = [NewReservation(reservation, draw_of(reservation.items), claim) for reservation, claim in held]
        counts = draw_of([item for reservation, _ in held for item in reservation.items]).quota_counts
        moves = [
            SeatMove(one.draw.seats, SeatState.AVAILABLE, SeatState.HELD, one.reservation.reservation_id)
            for one in drawn
            if one.draw.seats
        ]
        version = await writes.move_stock(
            conn, StockMove(memory.organization_id, memory.session_id, seats=moves, held=counts)
        )
        assert memory.stock is not None  # noqa: S101 (loaded by _catch_up)
        memory.stock.version = version
        await writes.insert_reservations(conn, drawn)
        ids = tuple(reservation.reservation_id for reservation, _ in held)
        fact = ReservationHeld(memory.organization_id, memory.session_id, version, ids)
        await outbox.append(conn, make_id, [fact])
    await keep_refusals(conn, memory, list(zip(wishes, outcomes, strict=True)))
