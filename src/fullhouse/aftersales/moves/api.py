"""Routes of moves: an organizer moves or postpones a session, and each buyer keeps or returns."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import model_validator

from fullhouse.access.http import holder_of, holder_or_member, requires
from fullhouse.access.policies.order import opens
from fullhouse.access.rules import Asker, Grant
from fullhouse.aftersales.moves.answer_move import answer_move
from fullhouse.aftersales.moves.move_session import MoveWish, move_session
from fullhouse.aftersales.moves.queries import load_moves, load_order_move
from fullhouse.aftersales.moves.rules import Answer, AnswerCounts, Move, MoveKind, MoveNotFound, OrderMove
from fullhouse.aftersales.session_refund_queries import refuse_unknown_session
from fullhouse.catalogue.api.fields import When
from fullhouse.catalogue.rules import DateName, SessionChange
from fullhouse.core.secrets import same_hash
from fullhouse.events.rules import SessionStatus
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra.http import ApiModel, Instant, ResourcesDep, problems
from fullhouse.infra.postgres import connection, transaction
from fullhouse.orders.find_order import find_order
from fullhouse.orders.rules import OrderNotFound

router = APIRouter(tags=["refunds"])


class MoveSession(ApiModel):
    """The new dates, or none to postpone; until when buyers may answer, and what counts for those who do not."""

    starts_local: When | None = None
    ends_local: When | None = None
    answer_until: Instant
    default: Answer

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        """Refuse an end without a start."""
        if self.ends_local is not None and self.starts_local is None:
            raise ValueError("an end is moved with a start")
        return self

    def to_wish(self) -> MoveWish:
        """Translate to the domain."""
        dates: dict[DateName, WallClock | None] = {}
        if self.starts_local is not None:
            dates["starts"] = self.starts_local
        if self.ends_local is not None:
            dates["ends"] = self.ends_local
        change = SessionChange(dates=dates) if dates else SessionChange(status=SessionStatus.POSTPONED)
        return MoveWish(change, self.answer_until, self.default)


class AnswerBody(ApiModel):
    """Whether the tickets stay or go back."""

    answer: Answer


class MoveAnswer(ApiModel):
    """A move of a session."""

    id: UUID
    session_id: UUID
    kind: MoveKind
    previous_starts_at: Instant
    starts_at: Instant
    """The start now; of a session that was postponed, the one that does not count any more."""
    answer_until: Instant
    default: Answer
    moved_at: Instant
    closed_at: Instant | None


class CountedMoveAnswer(MoveAnswer):
    """A move with its buyers' answers: orders that keep, were returned, and have not answered."""

    keep_count: int
    return_count: int
    open_count: int


class MovesAnswer(ApiModel):
    """The moves of a session, the newest first."""

    items: list[CountedMoveAnswer]


class OrderMoveAnswer(MoveAnswer):
    """A move as one order is concerned; ``answer`` is null until its buyer said something."""

    answer: Answer | None
    answered_at: datetime | None


@router.post("/sessions/{session_id}/move", status_code=201, responses=problems(404, 409))
async def post_move(
    session_id: UUID,
    body: MoveSession,
    grant: Annotated[Grant, requires("session:write")],
    resources: ResourcesDep,
) -> CountedMoveAnswer:
    """Move or postpone a session that was sold. Its buyers are told by mail, and keep or return their tickets."""
    organization_id = grant.organization_id
    async with transaction(resources.pool, organization_id) as conn:
        move, count = await move_session(
            conn, resources.make_id, organization_id, session_id, body.to_wish(), grant.actor
        )
    return _counted(move, AnswerCounts(0, 0, count))


@router.get("/sessions/{session_id}/moves", responses=problems(404))
async def get_moves(
    session_id: UUID, grant: Annotated[Grant, requires("order:read")], resources: ResourcesDep
) -> MovesAnswer:
    """Show how the buyers of a session answer to its moves."""
    async with connection(resources.pool, grant.organization_id) as conn:
        await refuse_unknown_session(conn, grant.organization_id, session_id)
        found = await load_moves(conn, grant.organization_id, session_id)
    return MovesAnswer(items=[_counted(move, counts) for move, counts in found])


@router.get("/orders/{order_id}/move", responses=problems(404))
async def get_order_move(
    order_id: UUID, asker: Annotated[Asker, holder_or_member("Order", "order:read")], resources: ResourcesDep
) -> OrderMoveAnswer:
    """Show the newest move of an order's session since it was bought."""
    order = await find_order(resources.pool, order_id)
    if not opens(asker, order.organization_id, order.secret_hash):
        raise OrderNotFound
    async with connection(resources.pool, order.organization_id) as conn:
        found = await load_order_move(conn, order.organization_id, order_id)
    if found is None:
        raise MoveNotFound
    return _of_order(found)


@router.post("/orders/{order_id}/move", responses=problems(404, 409))
async def post_order_move(
    order_id: UUID, body: AnswerBody, secret: Annotated[str, holder_of("Order")], resources: ResourcesDep
) -> OrderMoveAnswer:
    """Keep the tickets of a session that was moved, or return them for all of their money. Repeating is safe."""
    order = await find_order(resources.pool, order_id)
    if not same_hash(secret, order.secret_hash):
        raise OrderNotFound
    async with transaction(resources.pool, order.organization_id) as conn:
        return _of_order(await answer_move(conn, resources.make_id, order.organization_id, order_id, body.answer))


def _fields(move: Move) -> MoveAnswer:
    return MoveAnswer(
        id=move.move_id,
        session_id=move.session_id,
        kind=move.kind,
        previous_starts_at=move.previous_starts_at,
        starts_at=move.starts_at,
        answer_until=move.answer_until,
        default=move.default_answer,
        moved_at=move.moved_at,
        closed_at=move.closed_at,
    )


def _counted(move: Move, counts: AnswerCounts) -> CountedMoveAnswer:
    return CountedMoveAnswer(
        **dict(_fields(move)), keep_count=counts.keep, return_count=counts.returned, open_count=counts.open
    )


def _of_order(known: OrderMove) -> OrderMoveAnswer:
    return OrderMoveAnswer(**dict(_fields(known.move)), answer=known.answer, answered_at=known.answered_at)
