"""Closing moves whose deadline has passed: what the organizer declared counts for those who did not answer."""

from fullhouse.aftersales.moves.queries import list_due_moves
from fullhouse.aftersales.moves.rules import Answer, Move
from fullhouse.aftersales.moves.writes import close_move
from fullhouse.aftersales.writes import list_unanswered_orders, open_session_refund
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction

MOVES_PER_RUN_MAX = 50


async def close_due_moves(pool: Pool, make_id: MakeId) -> int:
    """Close what is due; where the default is to return, a refund of those orders begins in the same transaction.

    Returns how many were closed. Safe to repeat, and at the same time.
    """
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        due = await list_due_moves(conn, MOVES_PER_RUN_MAX)
    return sum([await _close(pool, make_id, move) for move in due])


async def _close(pool: Pool, make_id: MakeId, move: Move) -> bool:
    async with transaction(pool, move.organization_id) as conn:
        if not await close_move(conn, move):
            return False
        if move.default_answer is Answer.RETURN:
            refund = await open_session_refund(conn, make_id, move.organization_id, move.session_id)
            await list_unanswered_orders(conn, refund, move.move_id)
    return True
