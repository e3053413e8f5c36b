"""What a buyer who pays asks for and hears, and what is decided without opening an attempt."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.json import Json
from fullhouse.core.secrets import same_hash
from fullhouse.infra.http_idempotency import CREATED_STATUS, REFUSED_STATUS, KeptRefusal, is_final, refusal
from fullhouse.infra.idempotency import Claim, IdempotencyKeyReused, Kept
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.answers import payment_answer
from fullhouse.payments.rules import Payment
from fullhouse.payments.starting.open_attempts import PaymentRequest


class PaymentWish(NamedTuple):
    """What a buyer asks for, with the secret of the order, and the key and the print of the body if there is a key."""

    order_id: UUID
    secret: str
    provider: str
    options: Mapping[str, Any]
    key: str | None
    fingerprint: bytes


class PaymentStarted(NamedTuple):
    """What the buyer hears: the answer as JSON. ``replayed`` says that it was given to an earlier request."""

    answer: dict[str, Any]
    replayed: bool


class Asked(NamedTuple):
    """A wish with what was found out about it before its batch."""

    wish: PaymentWish
    request: PaymentRequest
    unoffered: DomainError | None
    claim: Claim | None


class Opened(NamedTuple):
    """The answer to an attempt that was opened, and its payment; None: it was opened by an earlier request."""

    answer: dict[str, Any]
    payment: Payment | None


def decide_before(order: Order | None, asked: Asked, kept: Kept | None) -> Order | Opened | Exception:
    """Return the order to open an attempt for, or what is answered without."""
    if order is None or not same_hash(asked.wish.secret, order.secret_hash):
        return OrderNotFound()
    if asked.unoffered is not None:
        return asked.unoffered
    if kept is None:
        return order
    if asked.claim is None or kept.fingerprint != asked.claim.fingerprint:
        return IdempotencyKeyReused()
    return KeptRefusal(kept) if kept.status == REFUSED_STATUS else Opened(kept.answer, None)


def tell(asked: Asked, outcome: Payment | DomainError, answers: list[tuple[Claim, int, Json]]) -> Opened | DomainError:
    """Return what a buyer is told, and note it where a repeat is to hear it again."""
    if isinstance(outcome, Payment):
        answer = payment_answer(outcome).model_dump(mode="json")
        if asked.claim is not None:
            answers.append((asked.claim, CREATED_STATUS, answer))
        return Opened(answer, outcome)
    if asked.claim is not None and is_final(outcome):
        answers.append((asked.claim, REFUSED_STATUS, refusal(outcome)))  # pyright: ignore[reportArgumentType] (is JSON)
    return outcome
