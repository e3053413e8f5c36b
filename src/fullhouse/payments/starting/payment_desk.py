"""The desk where payments start: the wishes of an organization's buyers are met together, with few statements.

Attempts are opened in one transaction, then their provider is called, then what it answered is written down; each of
the three is a batch of its own, so that nobody waits while a provider thinks. A provider that takes one attempt in a
call is called for each buyer apart.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.batches import Batches
from fullhouse.infra.directory import find_organizations, remember
from fullhouse.infra.idempotency import Claim, find_each, keep_many
from fullhouse.infra.outbox import Cause, this_cause
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.orders.queries import load_orders
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.deliver_simulated_notices import deliver_notices_of
from fullhouse.payments.providers.port import Providers, StartsTogether
from fullhouse.payments.providers.simulated import SIMULATED
from fullhouse.payments.queries import load_payment
from fullhouse.payments.rules import Payment, PaymentNotFound, PaymentsBusy
from fullhouse.payments.starting.open_attempts import PaymentRequest, check_offered, open_attempts
from fullhouse.payments.starting.payment_wish import Asked, Opened, PaymentStarted, PaymentWish, decide_before, tell
from fullhouse.payments.starting.send_attempts import Answered, call, is_unsent, record_answers
from fullhouse.payments.writes import lock_order_money


class _Unsent(NamedTuple):
    payment: Payment
    cause: Cause


class PaymentDesk:
    """The payments that begin in one process."""

    def __init__(self, pool: Pool, make_id: MakeId, providers: Providers) -> None:
        """Begin with nobody."""
        self._pool = pool
        self._make_id = make_id
        self._providers = providers
        full = partial(PaymentsBusy, retry_after_seconds=1)
        self._looking: Batches[UUID, UUID] = Batches(self._look, name="orders of", full=full)
        self._opening: Batches[Asked, Opened] = Batches(self._open, name="open payments of", full=full)
        self._sending: Batches[_Unsent, Payment] = Batches(self._send_together, name="send payments of", full=full)
        self._recording: Batches[Answered, Payment] = Batches(self._record, name="record payments of", full=full)

    async def start(self, wish: PaymentWish) -> PaymentStarted:
        """Start to pay an order. Raises what ``open_attempts`` has for it, and ``PaymentsBusy`` where too many wait.

        Whoever sends the wrong secret hears of nothing (``OrderNotFound``); a repeated key hears its first answer, a
        refusal as ``KeptRefusal``, or ``IdempotencyKeyReused``.
        """
        organization_id = self._pool.organizations.get(("order", wish.order_id)) or await self._looking.ask(
            _ANYBODY, wish.order_id
        )
        opened = await self._opening.ask(organization_id, await self._asked(organization_id, wish))
        payment = opened.payment or await self._load(organization_id, UUID(opened.answer["id"]))
        if is_unsent(payment):
            payment = await self._send(_Unsent(payment, this_cause()))
        answer = opened.answer | {"next_step": payment.next_step or opened.answer["next_step"]}
        return PaymentStarted(answer, replayed=opened.payment is None)

    async def close(self) -> None:
        """Wait until those that wait have their answers."""
        for batches in (self._looking, self._opening, self._sending, self._recording):
            await batches.close()

    async def _asked(self, organization_id: UUID, wish: PaymentWish) -> Asked:
        unoffered = None
        try:
            await check_offered(self._providers, organization_id, wish.provider)
        except DomainError as refused:
            # Told to whoever knows the order's secret.
            unoffered = refused
        request = PaymentRequest(organization_id, wish.order_id, wish.provider, wish.options)
        scope = f"payments:{wish.order_id}"
        claim = None if wish.key is None else Claim(organization_id, scope, wish.key, wish.fingerprint)
        return Asked(wish, request, unoffered, claim)

    async def _look(self, _anybody: UUID, order_ids: Sequence[UUID]) -> Sequence[UUID | Exception]:
        found = await find_organizations(self._pool, "order", order_ids)
        return [found.get(order_id) or OrderNotFound() for order_id in order_ids]

    async def _open(self, organization_id: UUID, asked: Sequence[Asked]) -> Sequence[Opened | Exception | None]:
        """Open attempts of different orders; who asks for one that somebody asks for already waits for the next."""
        first: dict[UUID, Asked] = {}
        for one in asked:
            first.setdefault(one.wish.order_id, one)
        async with transaction(self._pool, organization_id) as conn:
            outcomes = await self._open_first(conn, organization_id, first)
        payments = [one.payment.payment_id for one in outcomes.values() if isinstance(one, Opened) and one.payment]
        remember(self._pool, "payment", organization_id, payments)
        return [outcomes[one.wish.order_id] if first[one.wish.order_id] is one else None for one in asked]

    async def _open_first(
        self, conn: Connection, organization_id: UUID, asked: dict[UUID, Asked]
    ) -> dict[UUID, Opened | Exception]:
        await lock_order_money(conn, organization_id, *asked)
        orders = await load_orders(conn, organization_id, list(asked))
        # The locks stand for keys as well: each belongs to its order.
        claims = [one.claim for one in asked.values() if one.claim is not None]
        kept = await find_each(conn, organization_id, [(claim.scope, claim.key) for claim in claims])
        outcomes: dict[UUID, Opened | Exception] = {}
        new: list[tuple[Order, Asked]] = []
        for order_id, one in asked.items():
            found = kept.get((one.claim.scope, one.claim.key)) if one.claim else None
            outcome = decide_before(orders.get(order_id), one, found)
            if isinstance(outcome, Order):
                new.append((outcome, one))
            else:
                outcomes[order_id] = outcome
        if new:
            opened = await open_attempts(
                conn, self._make_id, self._providers, [(order, one.request) for order, one in new]
            )
            answers: list[tuple[Claim, int, Json]] = []
            for (order, one), outcome in zip(new, opened, strict=True):
                outcomes[order.order_id] = tell(one, outcome, answers)
            await keep_many(conn, answers)
        return outcomes

    async def _load(self, organization_id: UUID, payment_id: UUID) -> Payment:
        async with connection(self._pool, organization_id) as conn:
            payment = await load_payment(conn, organization_id, payment_id)
        if payment is None:
            raise PaymentNotFound
        return payment

    async def _send(self, unsent: _Unsent) -> Payment:
        payment = unsent.payment
        if isinstance(self._providers.named(payment.provider), StartsTogether):
            return await self._sending.ask(payment.organization_id, unsent)
        (answered,) = await call(self._providers, [payment])
        return await self._recording.ask(payment.organization_id, answered)

    async def _send_together(self, organization_id: UUID, unsent: Sequence[_Unsent]) -> Sequence[Payment]:
        answered: list[Answered] = []
        for provider in {one.payment.provider for one in unsent}:
            answered += await call(self._providers, [one.payment for one in unsent if one.payment.provider == provider])
        payments = await self._record_all(organization_id, answered)
        simulated = {one.payment.provider_key: one.cause for one in unsent if one.payment.provider == SIMULATED}
        if simulated:
            await deliver_notices_of(self._pool, self._make_id, self._providers, organization_id, simulated)
        return [payments[one.payment.payment_id] for one in unsent]

    async def _record(self, organization_id: UUID, answered: Sequence[Answered]) -> Sequence[Payment]:
        payments = await self._record_all(organization_id, answered)
        return [payments[one.payment.payment_id] for one in answered]

    async def _record_all(self, organization_id: UUID, answered: Sequence[Answered]) -> dict[UUID, Payment]:
        return await record_answers(self._pool, self._make_id, organization_id, answered)


_ANYBODY = UUID(int=0)
"""In place of an organization, for those that are still looked for."""
