"""What a repeated idempotency key hears: the reservation that has the key, or the refusal that was kept for it.

A key is on a reservation or among the refusals, never both. Two grants are kept apart by an index; a grant and a
refusal by ``stock.refusals``: who keeps a refusal moves it on under the stock's lock and then looks for reservations,
and a hold without the lock is let through only if it saw the latest of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.infra import idempotency
from fullhouse.infra.idempotency import Claim, IdempotencyKeyReused
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import queries, writes
from fullhouse.reservations.rules import (
    LimitPerOrder,
    NotOnSale,
    Reservation,
    ReservationStatus,
    SeatTaken,
    SoldOut,
)
from fullhouse.reservations.wish import Memory, Outcome, Wish, idempotency_scope

KEPT_REFUSALS = {error.code: error for error in (SoldOut, SeatTaken, NotOnSale, LimitPerOrder)}
"""Refusals that a repeated idempotency key hears again."""


async def find_answers(conn: Connection, memory: Memory, claims: Sequence[Claim]) -> dict[str, Outcome]:
    """Find what earlier requests with these keys got, by key."""
    if not claims:
        return {}
    asked = {claim.key: claim for claim in claims}
    organization_id, session_id = memory.organization_id, memory.session_id
    answers: dict[str, Outcome] = {}
    for kept in await queries.load_keyed(conn, organization_id, session_id, list(asked)):
        first = kept.reservation._replace(status=ReservationStatus.HELD, expires_at=kept.first_expires_at)
        answers[kept.key] = _answer(asked[kept.key], kept.fingerprint, Outcome(first, replayed=True))
    rest = [key for key in asked if key not in answers]
    found = await idempotency.find_many(conn, organization_id, idempotency_scope(session_id), rest)
    for key, refusal in found.items():
        outcome = await _kept(conn, organization_id, refusal.answer)
        answers[key] = _answer(asked[key], refusal.fingerprint, outcome)
    return answers


async def keep_refusals(conn: Connection, memory: Memory, outcomes: Sequence[tuple[Wish, Outcome]]) -> None:
    """Keep those that are refusals, of wishes whose keys have no answer yet. The caller holds the stock's lock."""
    kept = [(wish.claim, 409, _written(one)) for wish, one in outcomes if wish.claim and is_kept_refusal(one)]
    if kept:
        await writes.count_refusals(conn, memory.organization_id, memory.session_id)
        await idempotency.keep_many(conn, kept)


async def keep_new_refusals(
    conn: Connection, memory: Memory, refused: Sequence[tuple[Claim, Outcome]]
) -> dict[str, Outcome]:
    """Keep refusals that were decided without the lock; return the answers of keys that got one meanwhile, by key."""
    if not refused:
        return {}
    await writes.count_refusals(conn, memory.organization_id, memory.session_id)
    answers = await find_answers(conn, memory, [claim for claim, _ in refused])
    await idempotency.keep_many(
        conn, [(claim, 409, _written(one)) for claim, one in refused if claim.key not in answers]
    )
    return answers


def is_kept_refusal(outcome: Outcome) -> bool:
    """Say whether it is a refusal that a repeat hears again."""
    return not isinstance(outcome.result, Reservation) and outcome.result.code in KEPT_REFUSALS


def _answer(claim: Claim, fingerprint: bytes, outcome: Outcome) -> Outcome:
    return outcome if fingerprint == claim.fingerprint else Outcome(IdempotencyKeyReused())


async def _kept(conn: Connection, organization_id: UUID, answer: Any) -> Outcome:  # noqa: ANN401 (JSON)
    if "code" in answer:
        return Outcome(KEPT_REFUSALS[answer["code"]](answer["detail"], **answer["fields"]), replayed=True)
    # Kept before reservations had their keys.
    reservation = await queries.load_reservation(conn, organization_id, UUID(answer["reservation_id"]))
    assert reservation is not None  # noqa: S101 (written in the same transaction as the key)
    expires_at = datetime.fromisoformat(answer["expires_at"])
    return Outcome(reservation._replace(status=ReservationStatus.HELD, expires_at=expires_at), replayed=True)


def _written(outcome: Outcome) -> Json:
    assert not isinstance(outcome.result, Reservation)  # noqa: S101 (a refusal)
    return {"code": outcome.result.code, "detail": outcome.result.detail, "fields": dict(outcome.result.fields)}
