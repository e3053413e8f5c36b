"""Moving or postponing a session that was sold: buyers are asked, by a deadline, whether they keep their tickets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.access.policies.refund import check_refund
from fullhouse.aftersales.moves.rules import Answer, Move
from fullhouse.aftersales.moves.writes import close_open_moves, insert_answers, insert_move
from fullhouse.aftersales.session_refund_queries import load_sold_of_session
from fullhouse.aftersales.session_refunds import SessionStands
from fullhouse.catalogue.rules import SessionChange
from fullhouse.catalogue.update_session import update_session
from fullhouse.core.actor import Actor
from fullhouse.core.errors import invalid_field
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.events.lock_terms import lock_session
from fullhouse.events.rules import SessionStatus
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.queries import load_refund_limit

ANSWER_DAYS_MAX = 366


@dataclass(frozen=True, slots=True)
class MoveWish:
    """What changes about the session, until when buyers may answer, and what counts for those who do not."""

    change: SessionChange
    answer_until: datetime
    default_answer: Answer


async def move_session(
    conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID, wish: MoveWish, by: Actor
) -> tuple[Move, int]:
    """Change the dates of a session, or postpone it, and ask each buyer. Returns the move and how many are asked.

    An earlier move that is open closes: who answered to it is asked again. Since all may return their tickets, the
    organization's limit of refunds counts all that was sold. Raises ``SessionStands`` where nothing is moved,
    ``RefundAboveLimit``, ``Invalid`` for the deadline, and what ``update_session`` raises.
    """
    before = await lock_session(conn, organization_id, session_id)
    await _check_deadline(conn, wish.answer_until)
    after = await update_session(conn, make_id, organization_id, session_id, wish.change)
    if after.status not in {SessionStatus.MOVED, SessionStatus.POSTPONED}:
        raise SessionStands(session_id=str(session_id), session_status=after.status.value)
    amount = await load_sold_of_session(conn, organization_id, session_id)
    check_refund(by, await load_refund_limit(conn, organization_id), before_minor=0, amount_minor=amount)
    await close_open_moves(conn, organization_id, session_id)
    new = Move(
        organization_id=organization_id,
        move_id=make_id(),
        session_id=session_id,
        kind="moved" if after.status is SessionStatus.MOVED else "postponed",
        previous_starts_at=before.starts_at,
        starts_at=after.starts_at,
        answer_until=wish.answer_until,
        default_answer=wish.default_answer,
        moved_at=wish.answer_until,
        closed_at=None,
    )
    move = await insert_move(conn, new)
    count = await insert_answers(conn, move)
    details: dict[str, Json] = {
        "kind": move.kind,
        "default": move.default_answer.value,
        "answer_until": move.answer_until.isoformat(),
        "order_count": count,
    }
    await record(conn, organization_id, Act("session.move", "session", session_id, details))
    return move, count


async def _check_deadline(conn: Connection, answer_until: datetime) -> None:
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    if not now < answer_until <= now + timedelta(days=ANSWER_DAYS_MAX):
        raise invalid_field("answer_until", f"Give an instant from now to {ANSWER_DAYS_MAX} days.")
