"""Writing moves of sessions and what buyers answered."""

from uuid import UUID

from fullhouse.aftersales.moves.queries import move_of, order_move_of
from fullhouse.aftersales.moves.rules import Answer, Move, OrderMove
from fullhouse.infra.postgres import Connection


async def close_open_moves(conn: Connection, organization_id: UUID, session_id: UUID) -> None:
    """Close what is open of a session's moves: another one takes its place."""
    await conn.execute(
        """
        UPDATE session_moves SET closed_at = clock_timestamp()
        WHERE organization_id = $1 AND session_id = $2 AND closed_at IS NULL
        """,
        organization_id,
        session_id,
    )


async def insert_move(conn: Connection, move: Move) -> Move:
    """Write a move, at this moment. The caller holds the session's lock."""
    row = await conn.fetchrow(
        """
        INSERT INTO session_moves (organization_id, move_id, session_id, kind, previous_starts_at, starts_at,
                                   answer_until, default_answer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
        """,
        move.organization_id,
        move.move_id,
        move.session_id,
        move.kind,
        move.previous_starts_at,
        move.starts_at,
        move.answer_until,
        move.default_answer.value,
    )
    assert row is not None  # noqa: S101 (an INSERT that returns gives a row or raises)
    return move_of(row)


async def insert_answers(conn: Connection, move: Move) -> int:
    """Write down every paid order of the session, not answered yet. Returns how many there are."""
    tag = await conn.execute(
        """
        INSERT INTO move_answers (organization_id, move_id, order_id)
        SELECT $1, $2, order_id FROM orders WHERE organization_id = $1 AND session_id = $3 AND status = 'paid'
        """,
        move.organization_id,
        move.move_id,
        move.session_id,
    )
    return int(tag.split()[-1])


async def lock_answer(conn: Connection, organization_id: UUID, order_id: UUID) -> OrderMove | None:
    """Lock what an order answers to the newest move, which does not close before the caller commits."""
    row = await conn.fetchrow(
        """
        SELECT m.*, a.order_id, a.answer, a.answered_at FROM move_answers a
        JOIN session_moves m ON m.organization_id = $1 AND m.move_id = a.move_id
        WHERE a.organization_id = $1 AND a.order_id = $2 ORDER BY a.move_id DESC LIMIT 1
        FOR UPDATE OF a FOR SHARE OF m
        """,
        organization_id,
        order_id,
    )
    return order_move_of(row) if row else None


async def put_answer(conn: Connection, known: OrderMove, answer: Answer) -> OrderMove:
    """Write what a buyer answers."""
    row = await conn.fetchrow(
        """
        UPDATE move_answers a SET answer = $4, answered_at = clock_timestamp() FROM session_moves m
        WHERE a.organization_id = $1 AND a.move_id = $2 AND a.order_id = $3
          AND m.organization_id = $1 AND m.move_id = $2
        RETURNING m.*, a.order_id, a.answer, a.answered_at
        """,
        known.move.organization_id,
        known.move.move_id,
        known.order_id,
        answer.value,
    )
    assert row is not None  # noqa: S101 (it is locked)
    return order_move_of(row)


async def close_move(conn: Connection, move: Move) -> bool:
    """Close a move whose time is over. False where somebody has closed it."""
    tag = await conn.execute(
        """
        UPDATE session_moves SET closed_at = clock_timestamp()
        WHERE organization_id = $1 AND move_id = $2 AND closed_at IS NULL AND answer_until <= clock_timestamp()
        """,
        move.organization_id,
        move.move_id,
    )
    return tag == "UPDATE 1"


async def mark_told(conn: Connection, move: Move, count_max: int) -> list[UUID]:
    """Claim orders whose buyers have not heard of a move, and write down that they are told now."""
    rows = await conn.fetch(
        """
        UPDATE move_answers a SET told_at = clock_timestamp() FROM (
            SELECT order_id FROM move_answers
            WHERE organization_id = $1 AND move_id = $2 AND told_at IS NULL
            ORDER BY order_id LIMIT $3 FOR UPDATE SKIP LOCKED
        ) AS untold
        WHERE a.organization_id = $1 AND a.move_id = $2 AND a.order_id = untold.order_id RETURNING a.order_id
        """,
        move.organization_id,
        move.move_id,
        count_max,
    )
    return [row["order_id"] for row in rows]
