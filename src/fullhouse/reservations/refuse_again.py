"""Refusing again what was refused a moment ago, from memory: most people in an on-sale lose, at almost no cost.

What a desk refused at one version of the stock, it would refuse at that version again. It may say so for a second
without asking Postgres: a refusal is late by no more than that when stock comes back, and not at all when it comes back
by time, since it ends when the next hold lapses and when sales open or close.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from fullhouse.core.errors import DomainError
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import queries
from fullhouse.reservations.kept_answers import find_answers, is_kept_refusal, keep_new_refusals
from fullhouse.reservations.rules import ItemRequest, Reservation
from fullhouse.reservations.wish import Memory, Outcome, Wish, divide

FRESH_SECONDS_MAX = 1.0
REMEMBERED_MAX = 10_000


class Begun(NamedTuple):
    """When a batch began: by the clock, and by how often this process had written other things."""

    seconds: float
    writes: int


class Refusals:
    """What a desk refused at the version that its memory has, and until when that may be said again."""

    __slots__ = ("_begun", "_by_items", "_until", "_version")

    def __init__(self) -> None:
        """Begin with nothing refused."""
        self._by_items: dict[tuple[ItemRequest, ...], DomainError] = {}
        self._until = 0.0
        self._begun = Begun(0.0, 0)
        self._version: int = 0

    def find(self, items: tuple[ItemRequest, ...], now: float, writes: int) -> DomainError | None:
        """Return the refusal of an equal request; None where it has to be decided.

        All hear the same one: it is told, and never raised. ``anew`` makes one to raise.
        """
        if now >= self._until or writes != self._begun.writes:
            return None
        return self._by_items.get(items)

    def note(self, memory: Memory, begun: Begun, wishes: Sequence[Wish], outcomes: Sequence[Outcome]) -> None:
        """Learn from a batch what was refused in it."""
        version = memory.stock.version if memory.stock else None
        is_late = begun.seconds >= self._until
        if is_late or version != self._version or len(self._by_items) >= REMEMBERED_MAX:
            self._by_items.clear()
        if version is not None and memory.refuses_for is not None:
            self._version = version
            self._begun = begun
            self._until = begun.seconds + memory.refuses_for
            self._by_items.update((items, anew(error)) for items, error in _refused(wishes, outcomes))


def anew(refusal: DomainError) -> DomainError:
    """Return the same refusal for one who hears it alone."""
    return type(refusal)(refusal.detail, **refusal.fields)


def _refused(
    wishes: Sequence[Wish], outcomes: Sequence[Outcome]
) -> Iterator[tuple[tuple[ItemRequest, ...], DomainError]]:
    for wish, one in zip(wishes, outcomes, strict=True):
        if not isinstance(one.result, Reservation) and not one.replayed and is_kept_refusal(one):
            yield wish.request.items, one.result


def only_refuses(wishes: Sequence[Wish], outcomes: Sequence[Outcome]) -> bool:
    """Say whether a batch refused something and granted nothing, so that its refusals are those of its version."""
    granted = any(isinstance(one.result, Reservation) and not one.replayed for one in outcomes)
    return not granted and next(_refused(wishes, outcomes), None) is not None


async def refuse_batch(conn: Connection, memory: Memory, losers: Sequence[tuple[Wish, DomainError]]) -> list[Outcome]:
    """Refuse wishes with keys, unless a key had an answer before: then that. In the caller's transaction.

    Keys without an answer are looked up once more under the lock: another process may have held for one meanwhile.
    """
    # A refusal that is lost with the server is decided anew: nobody waits for the disk.
    await conn.execute("SET LOCAL synchronous_commit = off")
    errors = {wish.request.reservation_id: error for wish, error in losers}
    batch = divide([wish for wish, _ in losers])
    refused = {wish.claim.key: (wish, wish.claim) for wish in batch.leaders if wish.claim}
    answers = await find_answers(conn, memory, [claim for _, claim in refused.values()])
    new = [
        (claim, Outcome(errors[wish.request.reservation_id]))
        for key, (wish, claim) in refused.items()
        if key not in answers
    ]
    answers |= await keep_new_refusals(conn, memory, new)
    outcomes = [
        answers.get(wish.claim.key if wish.claim else "") or Outcome(errors[wish.request.reservation_id])
        for wish in batch.leaders
    ]
    return batch.answer([wish for wish, _ in losers], outcomes)


async def seconds_to_refuse(conn: Connection, memory: Memory) -> float:
    """Return for how long what was refused now may be refused again: at most until time alone changes the answer."""
    terms, now = memory.terms, memory.now
    assert terms is not None  # noqa: S101 (a batch was decided)
    assert now is not None  # noqa: S101
    expiry = await queries.load_next_expiry(conn, memory.organization_id, memory.session_id, now)
    instants = (expiry, terms.sales_from, terms.sales_until or terms.starts_at)
    ahead: list[datetime] = [instant for instant in instants if instant is not None and instant > now]
    return min([FRESH_SECONDS_MAX, *((instant - now).total_seconds() for instant in ahead)])
