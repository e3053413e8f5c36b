"""A buyer's answer to a move of the session: the tickets stay, or go back for all of their money."""

from datetime import datetime
from uuid import UUID

from fullhouse.aftersales.moves.rules import Answer, AnswerFinal, MoveClosed, MoveNotFound, OrderMove
from fullhouse.aftersales.moves.writes import lock_answer, put_answer
from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.aftersales.session_refunds import SessionRefundReason
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Connection


async def answer_move(
    conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID, answer: Answer
) -> OrderMove:
    """Write down what a buyer says; returning refunds the whole order in the same transaction.

    Who keeps may change their mind until the deadline. Answering the same again changes nothing. Raises
    ``MoveNotFound``, ``MoveClosed``, ``AnswerFinal``, and ``OrderNotRefundable`` where the order is not paid any more.
    """
    known = await lock_answer(conn, organization_id, order_id)
    if known is None:
        raise MoveNotFound
    if known.answer is answer:
        return known
    if known.answer is Answer.RETURN:
        raise AnswerFinal
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    if known.move.closed_at is not None or now >= known.move.answer_until:
        raise MoveClosed(answer_until=known.move.answer_until.isoformat())
    answered = await put_answer(conn, known, answer)
    if answer is Answer.RETURN:
        wish = RefundWish(reason=SessionRefundReason.MOVED.value)
        await refund_order(conn, make_id, organization_id, order_id, wish)
    return answered
