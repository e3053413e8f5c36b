"""Dead letters: messages that a consumer could not deal with, kept until somebody replays or discards them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fullhouse.core.errors import NotFound
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.brokers.port import Broker, Delivery
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, Record, connection, transaction


class DeadLetterNotFound(NotFound):
    """There is no such dead letter, or it was replayed or discarded already."""

    code = "dead_letter_not_found"
    title = "There is no such dead letter waiting."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was put away, why, and after how many tries."""

    organization_id: UUID
    dead_letter_id: UUID
    queue: str
    message_id: UUID
    key: UUID
    body: dict[str, Any]
    reason: str
    attempts: int
    failed_at: datetime
    resolved_at: datetime | None
    resolution: str | None


REASON_LENGTH_MAX = 2_000
_ACTIONS = {"replayed": "dead_letter.replay", "discarded": "dead_letter.discard"}


async def put_away(pool: Pool, make_id: MakeId, delivery: Delivery, reason: str) -> None:
    """Write a dead letter, for a broker that keeps its messages elsewhere; nothing if one of the message waits."""
    async with connection(pool, delivery.organization_id) as conn:
        await conn.execute(
            """
            INSERT INTO dead_letters (organization_id, dead_letter_id, queue, message_id, key, body, reason, attempts)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8
            WHERE NOT EXISTS (
                SELECT FROM dead_letters
                WHERE organization_id = $1 AND queue = $3 AND message_id = $4 AND resolved_at IS NULL
            )
            """,
            delivery.organization_id,
            make_id(),
            delivery.queue,
            delivery.message_id,
            delivery.key,
            delivery.body,
            reason[:REASON_LENGTH_MAX],
            min(delivery.attempts, 32_767),
        )


async def list_dead_letters(pool: Pool, *, queue: str | None = None, count_max: int = 100) -> list[DeadLetter]:
    """Return what waits for somebody, the newest first, of all queues or one."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        rows = await conn.fetch(
            """
            SELECT * FROM dead_letters
            WHERE resolved_at IS NULL AND ($1::text IS NULL OR queue = $1)
            ORDER BY failed_at DESC, dead_letter_id DESC LIMIT $2
            """,
            queue,
            count_max,
        )
    return [_dead_letter(row) for row in rows]


async def load_dead_letter(pool: Pool, dead_letter_id: UUID) -> DeadLetter:
    """Return one, resolved or not. Raises ``DeadLetterNotFound``."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        row = await conn.fetchrow("SELECT * FROM dead_letters WHERE dead_letter_id = $1", dead_letter_id)
    if row is None:
        raise DeadLetterNotFound
    return _dead_letter(row)


async def replay_dead_letter(pool: Pool, broker: Broker, dead_letter_id: UUID) -> DeadLetter:
    """Put the message back into its queue and mark the letter as replayed. Raises ``DeadLetterNotFound``.

    The message is handed over before the mark commits: a crash between the two leaves a letter that can be replayed
    again, and a message that its consumer takes for a repeat.
    """
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        letter = await _resolve(conn, dead_letter_id, "replayed")
        await broker.requeue(letter.queue, letter.body)
    return letter


async def discard_dead_letter(pool: Pool, dead_letter_id: UUID) -> DeadLetter:
    """Mark the letter as discarded; the row stays. Raises ``DeadLetterNotFound``."""
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        return await _resolve(conn, dead_letter_id, "discarded")


async def _resolve(conn: Connection, dead_letter_id: UUID, resolution: str) -> DeadLetter:
    row = await conn.fetchrow(
        """
        UPDATE dead_letters SET resolved_at = clock_timestamp(), resolution = $2
        WHERE dead_letter_id = $1 AND resolved_at IS NULL RETURNING *
        """,
        dead_letter_id,
        resolution,
    )
    if row is None:
        raise DeadLetterNotFound
    letter = _dead_letter(row)
    await record_resolved(conn, letter, resolution)
    return letter


async def record_resolved(conn: Connection, letter: DeadLetter, resolution: str) -> None:
    """Tell the audit log what became of a message that somebody decided about."""
    details: dict[str, Json] = {"queue": letter.queue, "message_id": str(letter.message_id)}
    act = Act(_ACTIONS[resolution], "dead_letter", letter.dead_letter_id, details)
    await record(conn, letter.organization_id, act)


def _dead_letter(row: Record) -> DeadLetter:
    return DeadLetter(**dict(row))
