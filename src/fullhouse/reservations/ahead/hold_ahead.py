"""Holding without the lock, batch after batch: the next is decided while the one before is being committed.

The stock in memory is then ahead of what is committed, by at most two batches. If one of them is not let through, both
are undone in memory, and their wishes take the way with the lock.
"""

from collections import deque
from typing import Final
from uuid import UUID

from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection, IntegrityError
from fullhouse.reservations.ahead.hold_at_version import HoldBatch, Written, hold_at_version
from fullhouse.reservations.ahead.hold_one_at_version import hold_one_at_version
from fullhouse.reservations.ahead.hold_rows import Rows
from fullhouse.reservations.decide import Granted, decide, undo
from fullhouse.reservations.hold_batch import outcomes_of
from fullhouse.reservations.waiting import Waiting
from fullhouse.reservations.wish import Memory, Outcome, Wish, idempotency_scope

BATCH_MAX = 256
BEHIND_MAX = 500
"""A memory that has not seen so many changes of other processes is brought up to date, under the lock."""


class Flight:
    """Wishes that were granted in memory, in order of arrival, and what is written of them."""

    __slots__ = ("_rows", "granted", "keys", "waiting")

    def __init__(self) -> None:
        """Begin with nobody on board."""
        self.waiting: list[Waiting] = []
        self.granted: list[Granted] = []
        self.keys: set[str] = set()
        self._rows: Rows | None = None

    def rows(self) -> Rows:
        """Return what is written of all on board; what was asked for before is not made again."""
        rows = self._rows = self._rows or Rows()
        for at in range(len(rows.ids), len(self.granted)):
            rows.add(self.granted[at], self.waiting[at].wish.claim)
        return rows


_NOBODY: Final = Flight()


class Ahead:
    """Decides on those who wait at a desk, as long as each of them simply gets what it asks for.

    A wish that memory cannot grant ends it: refusals need the latest stock, the keys that were kept, and what has
    expired. So does a key that one of the last two batches brought as well, and a wish for seats where other processes
    sell too: theirs may have gone meanwhile, while all that is asked of a counter is that it has enough.
    """

    __slots__ = (
        "_chooses_seats",
        "_flying",
        "_has_seats",
        "_is_flying",
        "_memory",
        "_open",
        "_queue",
        "ended",
        "unlucky",
    )

    def __init__(self, memory: Memory, queue: deque[Waiting], *, chooses_seats: bool) -> None:
        """Begin with nobody decided on."""
        self._memory = memory
        self._queue = queue
        self._chooses_seats = chooses_seats
        self._has_seats = memory.stock is not None and memory.stock.seat_map is not None
        self._open = Flight()
        self._flying = _NOBODY
        self._is_flying = False
        # Those of the flight that was not written, if there was one.
        self.unlucky: list[Waiting] = []
        self.ended = memory.stock is None or memory.terms is None or memory.now is None or is_far_behind(memory)

    def decide(self, count_max: int = BATCH_MAX) -> None:
        """Decide on those who wait, at most so many. If it goes wrong, nobody is, and memory is forgotten."""
        if self.ended:
            return
        batch: list[Waiting] = []
        room = min(count_max, BATCH_MAX - len(self._open.waiting))
        while self._queue and len(batch) < room:
            one = self._queue.popleft()
            if one.answer.done():
                continue
            if not self._may_take(one):
                self._queue.appendleft(one)
                self.ended = True
                break
            batch.append(one)
        if batch:
            self._take(batch)
            if self._is_flying:
                # Postgres would wait for it once it has written those before.
                self._open.rows()

    def take_off(self) -> Flight:
        """Close the batch that was decided on, without those who gave up meanwhile, and begin the next."""
        stock = self._memory.stock
        assert stock is not None  # noqa: S101 (something was decided on it)
        flight, self._open = self._open, Flight()
        if any(one.answer.done() for one in flight.waiting):
            left = Flight()
            left.keys = flight.keys
            for one, granted in zip(flight.waiting, flight.granted, strict=True):
                if one.answer.done():
                    stock.give_back(granted.places.draw)
                else:
                    left.waiting.append(one)
                    left.granted.append(granted)
            flight = left
        self._flying, self._is_flying = flight, True
        return flight

    def land(self, written: Written | None) -> None:
        """Note how the flight ended. Where it was not let through, it and all that was decided after it is undone."""
        memory = self._memory
        flew, self._is_flying = self._is_flying, False
        if written is not None and memory.stock is not None:
            note_written(memory, written)
            self.ended = self.ended or is_far_behind(memory)
            return
        self.ended = True
        flying = self._flying if flew else _NOBODY
        self.unlucky = list(flying.waiting)
        if memory.stock is not None:
            undo(memory.stock, [*flying.granted, *self._open.granted])
        self._queue.extendleft(reversed(self._open.waiting))
        self._open = Flight()

    @property
    def has_decided(self) -> bool:
        """Say whether somebody was granted something since the last take-off."""
        return bool(self._open.waiting)

    def _may_take(self, one: Waiting) -> bool:
        if self._has_seats and not self._may_choose_seats() and wants_seats(one.wish):
            return False
        claim = one.wish.claim
        if claim is None:
            return True
        if claim.key in self._open.keys or claim.key in self._flying.keys:
            return False
        self._open.keys.add(claim.key)
        return True

    def _may_choose_seats(self) -> bool:
        return self._chooses_seats and self._memory.behind_since is None

    def _take(self, batch: list[Waiting]) -> None:
        memory = self._memory
        assert memory.stock is not None  # noqa: S101 (else it had ended)
        assert memory.terms is not None  # noqa: S101
        assert memory.now is not None  # noqa: S101
        try:
            decisions = decide(memory.stock, memory.terms, [one.wish.request for one in batch], memory.now)
        except Exception:  # noqa: BLE001 (the way with the lock tries each by itself)
            self._queue.extendleft(reversed([*self._open.waiting, *batch]))
            self._open, self.ended, memory.stock = Flight(), True, None
            return
        count = next((n for n, one in enumerate(decisions) if not isinstance(one, Granted)), len(decisions))
        if count < len(decisions):
            undo(memory.stock, decisions[count:])
            self._queue.extendleft(reversed(batch[count:]))
            self.ended = True
        flight = self._open
        for one, granted in zip(batch, decisions, strict=True):
            if not isinstance(granted, Granted):
                break
            flight.waiting.append(one)
            flight.granted.append(granted)


def wants_seats(wish: Wish) -> bool:
    """Say whether a wish asks for numbered seats, named or not."""
    return any(item.seats is not None or item.best_available is not None for item in wish.request.items)


def is_far_behind(memory: Memory) -> bool:
    """Say whether other processes have changed too much that a memory has not seen."""
    if memory.stock is None or memory.behind_since is None:
        return False
    return memory.stock.version - memory.behind_since > BEHIND_MAX


def note_written(memory: Memory, written: Written) -> None:
    """Bring a memory to what was written of it, and note whether others wrote before."""
    assert memory.stock is not None  # noqa: S101 (it was decided on it)
    if memory.behind_since is None and written.version != memory.stock.version + 1:
        memory.behind_since = memory.stock.version
    memory.stock.version, memory.now = written


async def write_flight(conn: Connection, message_id: UUID, memory: Memory, flight: Flight) -> Written | None:
    """Write a batch in one statement, committed by itself; None if it was not let through, and nothing is written."""
    if len(flight.granted) == 1:
        return await write_one(conn, message_id, memory, flight.granted[0], flight.waiting[0].wish.claim)
    try:
        return await hold_at_version(conn, message_id, _batch(memory), flight.rows())
    except IntegrityError:
        return None


async def write_one(
    conn: Connection, message_id: UUID, memory: Memory, granted: Granted, claim: Claim | None
) -> Written | None:
    """Write what one was granted, as ``write_flight`` does."""
    batch = _batch(memory)
    try:
        if not granted.places.draw.seats:
            return await hold_one_at_version(conn, message_id, batch, granted, claim)
        rows = Rows()
        rows.add(granted, claim)
        return await hold_at_version(conn, message_id, batch, rows)
    except IntegrityError:
        return None


def _batch(memory: Memory) -> HoldBatch:
    assert memory.stock is not None  # noqa: S101 (it was decided on it)
    assert memory.terms is not None  # noqa: S101
    return HoldBatch(memory.terms, memory.stock.version, memory.terms_changes, idempotency_scope(memory.session_id))


def answers_of(memory: Memory, flight: Flight, written: Written) -> list[Outcome]:
    """Return what those of a flight that was written are answered."""
    return outcomes_of(memory, flight.granted, written.now)
