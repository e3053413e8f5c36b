"""An order that is paid and whose tickets are issued, and a door to scan them at."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from harness.sale import Sale, make_sale
from harness.stock import SERVER_KEY

from fullhouse.admission.rules import Direction, Scan
from fullhouse.admission.scan_ticket import ScanAnswer, scan_ticket
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id
from fullhouse.tickets.code import TicketClaims, derive_signing_key, make_code
from fullhouse.tickets.issue_tickets import issue_tickets
from fullhouse.tickets.rules import Ticket


@dataclass
class Door:
    """The tickets of one paid order, their codes, and the scanner of their organization."""

    pool: Any
    sale: Sale
    order_id: UUID
    tickets: list[Ticket]
    codes: list[str]

    @property
    def organization_id(self) -> UUID:
        return self.sale.made.organization_id

    async def scan(self, code: str, direction: str = "in", **options: Any) -> ScanAnswer:
        scan = Scan(self.organization_id, code, Direction(direction), **options)
        async with transaction(self.pool, scan.organization_id) as conn:
            return await scan_ticket(conn, make_id, scan)

    async def outcome(self, code: str, direction: str = "in", **options: Any) -> str:
        return (await self.scan(code, direction, **options)).verdict.outcome.value

    async def log(self) -> list[tuple[int, str]]:
        rows = await self.pool.fetch(
            "SELECT entry_number, direction FROM admissions WHERE organization_id = $1 ORDER BY recorded_at",
            self.organization_id,
        )
        return [(row["entry_number"], row["direction"]) for row in rows]

    async def set_session(self, column: str, value: object) -> None:
        await self.pool.execute(
            f"UPDATE sessions SET {column} = $2 WHERE organization_id = $1", self.organization_id, value
        )


MakeDoor = Callable[[], Awaitable[Door]]


@pytest.fixture
def make_door(pool: Any) -> MakeDoor:
    async def make() -> Door:
        sale = await make_sale(pool)
        order_id = (await sale.order(2)).order.order_id
        await sale.pay(order_id)
        await sale.deliver()
        await sale.work()
        async with transaction(pool, sale.made.organization_id) as conn:
            tickets = list(await issue_tickets(conn, make_id, SERVER_KEY, sale.made.organization_id, order_id))
        return Door(pool, sale, order_id, tickets, [code_of(ticket) for ticket in tickets])

    return make


@pytest.fixture
async def door(make_door: MakeDoor) -> Door:
    return await make_door()


def code_of(ticket: Ticket, **changes: Any) -> str:
    claims = TicketClaims(ticket.key_id, ticket.generation, ticket.event_id, ticket.session_id, ticket.ticket_id)
    key = derive_signing_key(SERVER_KEY, ticket.organization_id, ticket.key_id)
    return make_code(replace(claims, **changes), key)
