"""One batch of the desk: lock, catch up, decide, write. Everything in the caller's transaction.

A constant number of statements whatever the size of the session and of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionTerms
from fullhouse.infra import idempotency, outbox
from fullhouse.infra.idempotency import Claim, IdempotencyKeyReused, Kept
from fullhouse.infra.postgres import Connection, IntegrityError
from fullhouse.reservations import queries, writes
from fullhouse.reservations.decide import Decision, Granted, Request, decide, undo
from fullhouse.reservations.expire_reservations import expire_in_session
from fullhouse.reservations.hold_at_version import HoldBatch, hold_at_version
from fullhouse.reservations.hold_one_at_version import hold_one_at_version
from fullhouse.reservations.messages import ReservationHeld
from fullhouse.reservations.rules import (
    HOLD_SECONDS_TOTAL_MAX,
    LimitPerOrder,
    NotOnSale,
    Reservation,
    ReservationStatus,
    SeatState,
    SeatTaken,
    SessionNotFound,
    SoldOut,
    draw_of,
)
from fullhouse.reservations.stock import Stock, StockChange
from fullhouse.reservations.writes import NewReservation, SeatMove, StockMove

KEPT_REFUSALS = {error.code: error for error in (SoldOut, SeatTaken, NotOnSale, LimitPerOrder)}
"""Refusals that a repeated idempotency key hears again."""


class Wish(NamedTuple):
    """A request as it came to the desk, with its idempotency key if it has one."""

    request: Request
    claim: Claim | None = None


class Outcome(NamedTuple):
    """What became of a wish. ``replayed`` says that it is the answer to an earlier request with the same key."""

    result: Reservation | DomainError
    replayed: bool = False


@dataclass(slots=True)
class Memory:
    """What a desk remembers between batches of one session."""

    organization_id: UUID
    session_id: UUID
    stock: Stock | None = None
    terms: SessionTerms | None = None
    locked_version: int | None = None
    """The version that the last batch with the lock found."""
    refuses_for: float | None = None
    """For how many seconds all that the last batch refused may be refused again; None where somebody got something."""
    now: datetime | None = None
    """The database's time at the last batch. The fast way decides with it, and its statement looks at the clock."""


@lru_cache(maxsize=4096)
def idempotency_scope(session_id: UUID) -> str:
    """Name the scope of the idempotency keys of a session's reservations."""
    return f"reservations:{session_id}"


async def hold_fast(conn: Connection, make_id: MakeId, memory: Memory, wishes: Sequence[Wish]) -> list[Outcome] | None:
    """Hold a batch in one statement, committed by itself, if memory is up to date and everybody gets something.

    None means that nothing was written, and memory is as it was: take ``hold_batch``. Refusals are never decided
    here, since they need the latest stock, the keys that were kept, and what has expired.
    """
    stock, terms, now = memory.stock, memory.terms, memory.now
    if stock is None or terms is None or now is None:
        return None
    batch = divide(wishes)
    decisions = decide(stock, terms, [wish.request for wish in batch.leaders], now)
    granted = [one for one in decisions if isinstance(one, Granted)]
    if len(granted) < len(decisions):
        undo(stock, decisions)
        return None
    hold = HoldBatch(
        terms, stock.version, idempotency_scope(memory.session_id), granted, [wish.claim for wish in batch.leaders]
    )
    try:
        alone = len(granted) == 1 and not granted[0].places.draw.seats
        written = await (hold_one_at_version if alone else hold_at_version)(conn, make_id(), hold)
    except IntegrityError:
        written = None
    if written is None:
        undo(stock, decisions)
        return None
    stock.version, memory.now = written.version, written.now
    return batch.answer(wishes, _outcomes(memory, decisions, written.now))


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
    decided = _outcomes(memory, decisions, now)
    await _write(conn, make_id, memory, batch.leaders, decided)
    answers = dict(zip((wish.request.reservation_id for wish in rest), batch.answer(rest, decided), strict=True))
    return [(earlier | answers)[wish.request.reservation_id] for wish in wishes]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Wishes to decide on, and those that repeat the idempotency key of one before them in the same batch."""

    leaders: list[Wish]
    leader_of: dict[UUID, Wish]

    def answer(self, wishes: Sequence[Wish], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Return the outcome of each wish, given those of the leaders."""
        if not self.leader_of:
            return list(outcomes)
        decided = {wish.request.reservation_id: outcome for wish, outcome in zip(self.leaders, outcomes, strict=True)}
        answers: list[Outcome] = []
        for wish in wishes:
            leader = self.leader_of.get(wish.request.reservation_id)
            if leader is None:
                answers.append(decided[wish.request.reservation_id])
            else:
                answers.append(_repeat(wish, leader, decided[leader.request.reservation_id]))
        return answers


def divide(wishes: Sequence[Wish]) -> _Batch:
    """Find the wishes to decide on, and those that only repeat one of them."""
    by_key: dict[str, Wish] = {}
    batch = _Batch([], {})
    for wish in wishes:
        leader = by_key.setdefault(wish.claim.key, wish) if wish.claim else wish
        if leader is wish:
            batch.leaders.append(wish)
        else:
            batch.leader_of[wish.request.reservation_id] = leader
    return batch


def _repeat(wish: Wish, leader: Wish, outcome: Outcome) -> Outcome:
    """Answer a second request with the same key in the same batch."""
    assert wish.claim is not None  # noqa: S101 (only wishes with a key follow)
    assert leader.claim is not None  # noqa: S101
    if wish.claim.fingerprint != leader.claim.fingerprint:
        return Outcome(IdempotencyKeyReused())
    return outcome._replace(replayed=True)


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
    keys = [wish.claim.key for wish in wishes if wish.claim]
    scope = idempotency_scope(memory.session_id)
    kept = await idempotency.find_many(conn, memory.organization_id, scope, keys)
    for wish in wishes:
        if wish.claim and wish.claim.key in kept and wish.request.reservation_id not in outcomes:
            earlier = kept[wish.claim.key]
            outcomes[wish.request.reservation_id] = await kept_outcome(conn, memory, wish.claim, earlier)
    return outcomes


async def kept_outcome(conn: Connection, memory: Memory, claim: Claim, kept: Kept) -> Outcome:
    """Return what a kept answer says to a request with its key."""
    if kept.fingerprint != claim.fingerprint:
        return Outcome(IdempotencyKeyReused())
    answer = kept.answer
    if "code" in answer:
        return Outcome(KEPT_REFUSALS[answer["code"]](answer["detail"], **answer["fields"]), replayed=True)
    reservation = await queries.load_reservation(conn, memory.organization_id, UUID(answer["reservation_id"]))
    assert reservation is not None  # noqa: S101 (written in the same transaction as the key)
    expires_at = datetime.fromisoformat(answer["expires_at"])
    return Outcome(reservation._replace(status=ReservationStatus.HELD, expires_at=expires_at), replayed=True)


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
        changes = await _changes(conn, memory, stock.version, version)
        if changes is None or any(change.counters.keys() - stock.counters.keys() for change in changes):
            stock = None
    if stock is None or terms is None or any(change.terms_changed for change in changes or ()):
        stock = await queries.load_stock(conn, memory.organization_id, memory.session_id)
        terms = await load_terms(conn, memory.organization_id, memory.session_id)
        if terms is None:
            raise SessionNotFound
    else:
        for change in changes or ():
            stock.apply(change)
    memory.stock, memory.terms = stock, terms
    return stock, terms


async def _changes(conn: Connection, memory: Memory, after: int, until: int) -> Sequence[StockChange] | None:
    if after == until:
        return ()
    return await queries.load_changes(conn, memory.organization_id, memory.session_id, after, until)


def _outcomes(memory: Memory, decisions: Sequence[Decision], now: datetime) -> list[Outcome]:
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
    """Write stock, reservations, the message and the kept answers of one batch."""
    held = [outcome.result for outcome in outcomes if isinstance(outcome.result, Reservation)]
    if held:
        drawn = [NewReservation(reservation, draw_of(reservation.items)) for reservation in held]
        counts = draw_of([item for reservation in held for item in reservation.items]).quota_counts
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
        ids = tuple(reservation.reservation_id for reservation in held)
        fact = ReservationHeld(memory.organization_id, memory.session_id, version, ids)
        await outbox.append(conn, make_id, [fact])
    kept = [
        (wish.claim, *kept_answer(one))
        for wish, one in zip(wishes, outcomes, strict=True)
        if wish.claim and _final(one)
    ]
    await idempotency.keep_many(conn, kept)


def _final(outcome: Outcome) -> bool:
    return isinstance(outcome.result, Reservation) or outcome.result.code in KEPT_REFUSALS


def kept_answer(outcome: Outcome) -> tuple[int, Json]:
    """Write an outcome as it is kept for repeats."""
    if isinstance(outcome.result, Reservation):
        result = outcome.result
        return 201, {"reservation_id": str(result.reservation_id), "expires_at": result.expires_at.isoformat()}
    return 409, {"code": outcome.result.code, "detail": outcome.result.detail, "fields": dict(outcome.result.fields)}
