"""What is asked of a desk and what it answers, and what a desk remembers between batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.idempotency import Claim, IdempotencyKeyReused
from fullhouse.reservations.decide import Request
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.stock import Stock


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
    terms_changes: int = 0
    """How often the terms had changed when they were loaded."""
    behind_since: int | None = None
    """The version after which other processes changed what this memory has not seen; None where it knows all."""
    locked_version: int | None = None
    """The version that the last batch with the lock found."""
    refuses_for: float | None = None
    """For how many seconds all that the last batch refused may be refused again; None where somebody got something."""
    now: datetime | None = None
    """The database's time at the last batch. The fast way decides with it, and its statement looks at the clock."""


@dataclass(frozen=True, slots=True)
class Batch:
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


def divide(wishes: Sequence[Wish]) -> Batch:
    """Find the wishes to decide on, and those that only repeat one of them."""
    by_key: dict[str, Wish] = {}
    batch = Batch([], {})
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


@lru_cache(maxsize=4096)
def idempotency_scope(session_id: UUID) -> str:
    """Name the scope of the idempotency keys of a session's reservations."""
    return f"reservations:{session_id}"
