"""Loading an order's sale while others commit: what was bought is there wholly, or not yet."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from typing import LiteralString
from uuid import UUID

from harness.crashes import DyingConnection
from harness.sale import Sale, make_sale
from harness.web import SECRET_KEY

from fullhouse.core.message import Message
from fullhouse.infra import system
from fullhouse.infra.postgres import Connection, Pool, Record, connection, transaction
from fullhouse.tickets.load_sale import load_sale
from fullhouse.workers.settle_and_issue import settle_and_issue


class InterruptedConnection(DyingConnection):
    """Lets something happen before one of its statements."""

    def __init__(self, conn: Connection, number: int, happen: Callable[[], Awaitable[None]]) -> None:
        super().__init__(conn, 1_000)
        self._number = number
        self._happen = happen
        self.statements = 0

    async def _next(self) -> None:
        if self.statements == self._number:
            await self._happen()
        self.statements += 1

    async def fetch(self, query: LiteralString, *args: object) -> list[Record]:
        await self._next()
        return await super().fetch(query, *args)

    async def fetchrow(self, query: LiteralString, *args: object) -> Record | None:
        await self._next()
        return await super().fetchrow(query, *args)


async def test_what_is_settled_between_two_statements_is_there_wholly_or_not_yet(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=100)
    seen: list[int] = []
    for number in count():
        orders = [await _pay(sale) for _ in range(2)]
        told = [message for message in await sale.messages("payment.notice_received") if message.key in orders]
        async with connection(pool, sale.made.organization_id) as conn:
            interrupted = InterruptedConnection(conn, number, partial(_settle, sale, told))
            loaded = await load_sale(interrupted, sale.made.organization_id, orders[0])
        if interrupted.statements <= number:
            break
        seen.append(len({unit.unit_id for _, unit in loaded.tickets}))
        assert len(loaded.tickets) == seen[-1]
    assert set(seen) == {0, 3}, "it was settled before the tickets were read, and after"
    assert seen == sorted(seen, reverse=True)


async def _pay(sale: Sale) -> UUID:
    order = (await sale.order(3)).order
    await sale.pay(order.order_id)
    await sale.deliver()
    return order.order_id


async def _settle(sale: Sale, told: Sequence[Message]) -> None:
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        await settle_and_issue(conn, system.make_id, sale.providers, SECRET_KEY, told)
