"""Gathering all that is printed on the tickets of one order."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.postgres import Connection
from fullhouse.orders.persons.queries import UnitKey, load_holders
from fullhouse.orders.queries import load_contact, load_order, load_units
from fullhouse.orders.rules import Contact, Order, OrderNotFound, Unit
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import Organization, OrganizationNotFound
from fullhouse.reservations.rules import SessionNotFound
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
    order = await load_order(conn, organization_id, order_id)
    if order is None:
        raise OrderNotFound
    organization = await load_organization(conn, organization_id)
    if organization is None:
        raise OrganizationNotFound
    terms = await load_terms(conn, organization_id, order.session_id)
    if terms is None:
        raise SessionNotFound
    seat_map = await load_seat_map(conn, organization_id, terms.seat_map_id) if terms.seat_map_id else None
    contact = await load_contact(conn, organization_id, order_id)
    units = await load_units(conn, organization_id, order_id)
    places = {unit.unit_id: place for place, unit in enumerate(units)}
    tickets = await load_tickets(conn, organization_id, order_id)
    by_line = sorted(tickets, key=lambda ticket: (places[ticket.unit_id], ticket.generation))
    pairs = tuple((ticket, units[places[ticket.unit_id]]) for ticket in by_line)
    holders = await load_holders(conn, organization_id, order_id)
    return Sale(organization, order, contact, terms, seat_map, pairs, holders)
