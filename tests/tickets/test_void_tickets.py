"""Voiding: what is named and valid, once, and nothing else."""

from uuid import UUID

from harness.sold import Sell

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.tickets.rules import TicketStatus
from fullhouse.tickets.void_tickets import void_tickets


async def test_only_the_named_units_are_voided_and_only_once(pool: Pool, sell: Sell) -> None:
    sold, other = await sell(3), await sell(1)
    first, second, third = await sold.issue()
    [stranger] = await other.issue()

    async def void(*unit_ids: UUID) -> list[UUID]:
        async with transaction(pool, sold.organization_id) as conn:
            made = await void_tickets(conn, system.make_id, sold.organization_id, sold.order_id, list(unit_ids))
        return [ticket.ticket_id for ticket in made]

    assert await void(first.unit_id, third.unit_id, stranger.unit_id) == sorted([first.ticket_id, third.ticket_id])
    status = {ticket.ticket_id: ticket.status for ticket in (*await sold.tickets(), *await other.tickets())}
    assert status == {
        first.ticket_id: TicketStatus.VOID,
        second.ticket_id: TicketStatus.VALID,
        third.ticket_id: TicketStatus.VOID,
        stranger.ticket_id: TicketStatus.VALID,
    }
    assert await void(first.unit_id) == []
    assert await void() == []
    [message] = await sold.announced("ticket.voided")
    assert message.key == sold.order_id
    assert message.data["tickets"] == [
        {"ticket_id": str(t.ticket_id), "unit_id": str(t.unit_id), "generation": 1} for t in (first, third)
    ]
    ended = {ticket.ticket_id for ticket in await sold.tickets() if ticket.ended_at is not None}
    assert ended == {first.ticket_id, third.ticket_id}


async def test_a_refund_voids_the_tickets_of_its_units(sell: Sell) -> None:
    sold = await sell(3)
    gone, *kept = await sold.issue()
    await sold.refund(gone.unit_id)
    assert {t.ticket_id for t in await sold.tickets() if t.status is TicketStatus.VALID} == {t.ticket_id for t in kept}
    assert await sold.issue() == [], "a voided ticket is not issued again"
    await sold.refund()
    assert {ticket.status for ticket in await sold.tickets()} == {TicketStatus.VOID}
    assert len(await sold.announced("ticket.voided")) == 2
