"""Reading moves of sessions and what buyers answered."""

from uuid import UUID

from fullhouse.aftersales.moves.rules import Answer, AnswerCounts, Move, OrderMove
from fullhouse.infra.postgres import Connection, Record


async def load_moves(conn: Connection, organization_id: UUID, session_id: UUID) -> list[tuple[Move, AnswerCounts]]:
    """List the moves of a session with the answers to each, the newest first."""
    rows = await conn.fetch(
        """
        SELECT m.*, a.* FROM session_moves m CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE answer = 'keep') AS keep,
                   count(*) FILTER (WHERE answer = 'return') AS returned,
                   count(*) FILTER (WHERE answer IS NULL) AS open
            FROM move_answers a WHERE a.organization_id = $1 AND a.move_id = m.move_id
        ) AS a
        WHERE m.organization_id = $1 AND m.session_id = $2 ORDER BY m.move_id DESC LIMIT 100
        """,
        organization_id,
        session_id,
    )
    return [(move_of(row), AnswerCounts(row["keep"], row["returned"], row["open"])) for row in rows]


async def load_order_move(conn: Connection, organization_id: UUID, order_id: UUID) -> OrderMove | None:
    """Load the newest move that concerns an order, or None."""
    row = await conn.fetchrow(
        """
        SELECT m.*, a.order_id, a.answer, a.answered_at FROM move_answers a
        JOIN session_moves m ON m.organization_id = $1 AND m.move_id = a.move_id
        WHERE a.organization_id = $1 AND a.order_id = $2 ORDER BY a.move_id DESC LIMIT 1
        """,
        organization_id,
        order_id,
    )
    return order_move_of(row) if row else None


async def list_due_moves(conn: Connection, count_max: int) -> list[Move]:
    """List the moves whose time to answer is over, whosever they are."""
    rows = await conn.fetch(
        """
        SELECT * FROM session_moves WHERE closed_at IS NULL AND answer_until <= clock_timestamp()
        ORDER BY answer_until LIMIT $1
        """,
        count_max,
    )
    return [move_of(row) for row in rows]


async def list_untold_moves(conn: Connection, count_max: int) -> list[Move]:
    """List the open moves of which some buyers have not heard, whosever they are."""
    rows = await conn.fetch(
        """
        SELECT * FROM session_moves m WHERE closed_at IS NULL AND EXISTS (
            SELECT FROM move_answers a
            WHERE a.organization_id = m.organization_id AND a.move_id = m.move_id AND a.told_at IS NULL)
        ORDER BY moved_at LIMIT $1
        """,
        count_max,
    )
    return [move_of(row) for row in rows]


def move_of(row: Record) -> Move:
    """Build a move from its row."""
    return Move(
        organization_id=row["organization_id"],
        move_id=row["move_id"],
        session_id=row["session_id"],
        kind=row["kind"],
        previous_starts_at=row["previous_starts_at"],
        starts_at=row["starts_at"],
        answer_until=row["answer_until"],
        default_answer=Answer(row["default_answer"]),
        moved_at=row["moved_at"],
        closed_at=row["closed_at"],
    )


def order_move_of(row: Record) -> OrderMove:
    """Build a move as an order is concerned."""
    answer = Answer(row["answer"]) if row["answer"] else None
    return OrderMove(move_of(row), row["order_id"], answer, row["answered_at"])
