"""The desk where orders are placed: those that wait are placed together, in one transaction of their organization."""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra.batches import Batches
from fullhouse.infra.directory import remember
from fullhouse.infra.http import KeptRefusal, is_final, refusal
from fullhouse.infra.idempotency import Claim, Kept, begin_many, keep_many
from fullhouse.infra.outbox import request_id
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.infra.tracing import batch_span, traceparent
from fullhouse.orders.placing.asked import Asked, OrderRequest
from fullhouse.orders.placing.encode_order import encode_order
from fullhouse.orders.placing.place_orders import place_orders
from fullhouse.reservations.rules import DeskFull

CREATED_STATUS: Final = 201
REFUSED_STATUS: Final = 409


class Ordered(NamedTuple):
    """An order as it is shown, without who bought and without its secret; ``replayed`` if a key had it before."""

    answer: Mapping[str, Json]
    replayed: bool

    @property
    def order_id(self) -> UUID:
        """Which order it is."""
        return UUID(str(self.answer["id"]))


class _Wish(NamedTuple):
    asked: Asked
    claim: Claim | None


class _Alone(Enum):
    """The answer to a wish that others must not wait for."""

    ALONE = "alone"


_Answer = Ordered | _Alone
_ALONE: Final = _Alone.ALONE


class OrderDesk:
    """The order desk of one process."""

    def __init__(self, pool: Pool, make_id: MakeId, server_key: bytes) -> None:
        """Open; ``server_key`` is what the key for order secrets is derived from."""
        self._pool = pool
        self._make_id = make_id
        self._order_key = derive_key(server_key, "order")
        self._waiting: Batches[_Wish, _Answer] = Batches(
            self._judge, name="orders of", full=partial(DeskFull, retry_after_seconds=1)
        )

    def secret_of(self, order_id: UUID) -> str:
        """Return the buyer's secret of an order."""
        return derive_secret(self._order_key, order_id)

    async def place(self, request: OrderRequest, claim: Claim | None = None) -> Ordered:
        """Place an order together with others, and wait until it is committed; the same again for the same key.

        Raises what ``place_orders`` refuses it with, ``KeptRefusal``, ``IdempotencyInFlight``,
        ``IdempotencyKeyReused``, and ``DeskFull``.
        """
        organization_id = request.organization_id
        wish = _Wish(Asked(request, request_id.get(), traceparent()), claim)
        # Who shows a code has the transaction to themselves, since others must not wait for its lock.
        answer: _Answer = _ALONE if request.code is not None else await self._waiting.ask(organization_id, wish)
        if not isinstance(answer, Ordered):
            (alone,) = await self._judge(organization_id, [wish])
            if isinstance(alone, Exception):
                raise alone
            assert isinstance(alone, Ordered)  # noqa: S101 (nobody stands beside it)
            answer = alone
        return answer

    async def close(self) -> None:
        """Wait until those that wait have their answers."""
        await self._waiting.close()

    async def _judge(self, organization_id: UUID, wishes: Sequence[_Wish]) -> list[_Answer | Exception | None]:
        with batch_span("order", (wish.asked.traceparent for wish in wishes)):
            async with transaction(self._pool, organization_id) as conn:
                outcomes = await self._decide(conn, wishes)
        # Who has just ordered pays next.
        remember(self._pool, "order", organization_id, [one.order_id for one in outcomes if isinstance(one, Ordered)])
        return outcomes

    async def _decide(self, conn: Connection, wishes: Sequence[_Wish]) -> list[_Answer | Exception | None]:
        """Repeat first answers; place the others, and keep what becomes of them. None: ask again with the next."""
        outcomes, first = await self._begun(conn, wishes)
        placed = await place_orders(conn, self._make_id, self._order_key, [wishes[place].asked for place in first])
        answers: list[tuple[Claim, int, Json]] = []
        for place, outcome in zip(first, placed, strict=True):
            claim = wishes[place].claim
            if outcome is None:
                outcomes[place] = _ALONE
            elif isinstance(outcome, DomainError):
                outcomes[place] = outcome
                if claim is not None and is_final(outcome):
                    answers.append((claim, REFUSED_STATUS, refusal(outcome)))  # pyright: ignore[reportArgumentType] (is JSON)
            else:
                answer = encode_order(outcome)
                outcomes[place] = Ordered(answer, replayed=False)
                if claim is not None:
                    answers.append((claim, CREATED_STATUS, answer))
        await keep_many(conn, answers)
        return [outcomes.get(place) for place in range(len(wishes))]

    @staticmethod
    async def _begun(conn: Connection, wishes: Sequence[_Wish]) -> tuple[dict[int, _Answer | Exception], list[int]]:
        """Return what is known of wishes by their keys, and the places of those to decide: the first of each key."""
        claimed = [(place, wish.claim) for place, wish in enumerate(wishes) if wish.claim is not None]
        begun = await begin_many(conn, [claim for _, claim in claimed])
        known: dict[int, _Answer | Exception] = {
            place: _repeated(found) if isinstance(found, Kept) else found
            for (place, _), found in zip(claimed, begun, strict=True)
            if found is not None
        }
        first: dict[object, int] = {}
        for place, wish in enumerate(wishes):
            if place not in known:
                first.setdefault(place if wish.claim is None else wish.claim[:3], place)
        return known, list(first.values())


def answered_before(kept: Kept) -> Ordered:
    """Return what a key had before. Raises ``KeptRefusal`` where that was a refusal."""
    if kept.status == REFUSED_STATUS:
        raise KeptRefusal(kept)
    return Ordered(kept.answer, replayed=True)


def _repeated(kept: Kept) -> Ordered | KeptRefusal:
    try:
        return answered_before(kept)
    except KeptRefusal as refused:
        return refused
