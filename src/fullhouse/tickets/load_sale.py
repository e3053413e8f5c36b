"""Gathering all that is printed on the tickets of one order."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.events.queries import load_terms_of_sessions
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.postgres import Connection
from fullhouse.orders.persons.queries import UnitKey, load_holders
from fullhouse.orders.queries import load_contacts, load_orders, load_units_of_orders
from fullhouse.orders.rules import Contact, Order, OrderNotFound, Unit
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import Organization, OrganizationNotFound
from fullhouse.seating.queries import load_seat_map
from fullhouse.seating.rules import SeatMap
from fullhouse.tickets.queries import load_tickets
from fullhouse.tickets.rules import Ticket, TicketStatus


@dataclass(frozen=True, slots=True)
class Sale:
    """An order with its tickets, and what they are for."""

    organization: Organization
    order: Order
    contact: Contact | None
    """None where it was erased."""
    terms: SessionTerms
    seat_map: SeatMap | None
    tickets: tuple[tuple[Ticket, Unit], ...]
    """All tickets with their units, by order line and generation."""
    holders: Mapping[UnitKey, str]
    """The names that the buyer gave for single tickets, by line and number of the unit."""

    @property
    def valid(self) -> list[tuple[Ticket, Unit]]:
        """Those that the door would let in."""
        return [pair for pair in self.tickets if pair[0].status is TicketStatus.VALID]

    def holder_of(self, unit: Unit) -> str | None:
        """Name who a ticket is for: the holder, or else the buyer. None where both were erased."""
        named = self.holders.get((unit.line_number, unit.number))
        return named or (self.contact.name if self.contact else None)


async def load_sale(conn: Connection, organization_id: UUID, order_id: UUID) -> Sale:
    """Load an order's sale in a constant number of statements. Raises ``OrderNotFound``."""
    sales = await load_sales(conn, organization_id, [order_id])
    if order_id not in sales:
        raise OrderNotFound
    return sales[order_id]


async def load_sales(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> dict[UUID, Sale]:
    """Load the sales of several orders in as many statements; one that the organization does not have is left out."""
    orders = await load_orders(conn, organization_id, order_ids)
    if not orders:
        return {}
    organization = await load_organization(conn, organization_id)
    if organization is None:
        raise OrganizationNotFound
    ids = list(orders)
    terms = await load_terms_of_sessions(conn, organization_id, {order.session_id for order in orders.values()})
    maps = {
        seat_map_id: await load_seat_map(conn, organization_id, seat_map_id)
        for seat_map_id in {one.seat_map_id for one in terms.values()}
        if seat_map_id
    }
    contacts = await load_contacts(conn, organization_id, ids)
    pairs = await _load_pairs(conn, organization_id, ids)
    holders = await load_holders(conn, organization_id, ids)
    return {
        order_id: Sale(
            organization=organization,
            order=order,
            contact=contacts.get(order_id),
            terms=(of_session := terms[order.session_id]),
            seat_map=maps[of_session.seat_map_id] if of_session.seat_map_id else None,
            tickets=tuple(pairs[order_id]),
            holders=holders[order_id],
        )
        for order_id, order in orders.items()
    }


async def _load_pairs(
    conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]
) -> defaultdict[UUID, list[tuple[Ticket, Unit]]]:
    """Load the tickets of orders with their units, by order line and generation."""
    # Tickets first: a statement sees what was committed before it, and no unit is committed after its ticket.
    tickets = await load_tickets(conn, organization_id, *order_ids)
    units = {unit.unit_id: unit for unit in await load_units_of_orders(conn, organization_id, order_ids)}
    places = {unit_id: place for place, unit_id in enumerate(units)}
    pairs: defaultdict[UUID, list[tuple[Ticket, Unit]]] = defaultdict(list)
    for ticket in sorted(tickets, key=lambda ticket: (places[ticket.unit_id], ticket.generation)):
        pairs[ticket.order_id].append((ticket, units[ticket.unit_id]))
    return pairs
