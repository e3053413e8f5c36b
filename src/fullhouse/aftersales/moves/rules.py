"""What a move of a session is, what its buyers may say, and how they are refused. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound

MoveKind = Literal["moved", "postponed"]


class Answer(StrEnum):
    """What becomes of an order of a session that was moved."""

    KEEP = "keep"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Move:
    """A session that was moved or postponed, and what those hear who bought."""

    organization_id: UUID
    move_id: UUID
    session_id: UUID
    kind: MoveKind
    previous_starts_at: datetime
    starts_at: datetime
    answer_until: datetime
    default_answer: Answer
    moved_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderMove:
    """A move as one order is concerned: ``answer`` is None until its buyer said something."""

    move: Move
    order_id: UUID
    answer: Answer | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """How the buyers of a session answered so far."""

    keep: int
    returned: int
    open: int


class MoveNotFound(NotFound):
    """The session of this order was not moved since it was bought."""

    code = "move_not_found"
    title = "The session of this order was not moved."


class MoveClosed(Conflict):
    """The time to answer is over; ``answer_until`` says since when."""

    code = "move_closed"
    title = "The time to answer is over."


class AnswerFinal(Conflict):
    """The tickets were returned; that is not taken back."""

    code = "answer_final"
    title = "These tickets were returned already."
