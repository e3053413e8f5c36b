"""What is sold while the product is measured: organizations, sessions and rooms, made as an organizer makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from fullhouse.catalogue.rules import PriceWish, SessionWish, TicketTypeWish
from fullhouse.catalogue.schedule_session import schedule_session
from fullhouse.core.actor import OPERATOR
from fullhouse.events.create_event import create_event
from fullhouse.events.publish_event import publish_event
from fullhouse.events.rules import HOLD_SECONDS_DEFAULT, EventFields
from fullhouse.events.session_dates import SessionDates
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra import system
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.operations.room_drawing import line, row_of, section_of
from fullhouse.organizations.create_organization import create_organization
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, NewOrganization, Role
from fullhouse.seating.import_seat_map import seat_map_from
from fullhouse.seating.publish_seat_map import publish_seat_map
from fullhouse.seating.rules import SeatMap

CAPACITY_MAX: Final = 1_000_000
"""More than a measurement can sell."""

PER_ORDER_MAX: Final = 20
_SEATS_IN_A_ROW: Final = 100
_TIME_ZONE: Final = "UTC"
_CATEGORY: Final = "stalls"


@dataclass(frozen=True, slots=True)
class Organizer:
    """An organization with a key for its door."""

    organization_id: UUID
    scanner_key: str


@dataclass(frozen=True, slots=True)
class OnSale:
    """A session that is on sale. ``seat_keys`` are those of its map, in map order; none for standing."""

    organization_id: UUID
    event_id: UUID
    session_id: UUID
    ticket_type_id: UUID
    seat_keys: Sequence[str] = ()


async def make_organizer(pool: Pool) -> Organizer:
    """Make an organization, and a scanner's key."""
    organization_id = system.make_id()
    with acting_as(OPERATOR):
        async with transaction(pool, organization_id) as conn:
            new = NewOrganization("Benchmark hall", "hall@example.com")
            await create_organization(conn, lambda: organization_id, system.now, new, None)
            _, key = await issue_api_key(
                conn, system.make_id, system.randomness, organization_id, NewApiKey("Door", Role.SCANNER)
            )
    return Organizer(organization_id, key)


async def put_on_sale(
    pool: Pool,
    organizer: Organizer,
    *,
    capacity: int = CAPACITY_MAX,
    seats: int = 0,
    hold_seconds: int = HOLD_SECONDS_DEFAULT,
) -> OnSale:
    """Publish an event with one session: of so many numbered seats, or with general admission."""
    with acting_as(OPERATOR):
        async with transaction(pool, organizer.organization_id) as conn:
            return await _publish(conn, organizer.organization_id, capacity, seats, hold_seconds)


async def _publish(conn: Connection, organization_id: UUID, capacity: int, seats: int, hold_seconds: int) -> OnSale:
    make_id = system.make_id
    fields = EventFields("A benchmark", "Sold as fast as it can be.", "Here", _TIME_ZONE, "EUR")
    event = await create_event(conn, make_id, organization_id, fields)
    seat_map_id, keys = None, ()
    if seats:
        published = await publish_seat_map(conn, make_id, organization_id, room(seats))
        seat_map_id, keys = published.seat_map_id, tuple(seat.key for seat in published.seat_map.seats)
    starts = (system.now() + timedelta(days=30)).replace(tzinfo=None, microsecond=0)
    offer = (
        TicketTypeWish("Adult", prices=[PriceWish(_CATEGORY, 2_500)])
        if seats
        else TicketTypeWish("Adult", capacity=capacity, price_minor=2_500)
    )
    wish = SessionWish(
        dates=SessionDates(_TIME_ZONE, WallClock(starts), WallClock(starts + timedelta(hours=3))),
        name="",
        hold_seconds=hold_seconds,
        per_order_max=PER_ORDER_MAX,
        release_on_decline=False,
        reseat_equal=True,
        gates=(),
        ticket_types=(offer,),
    )
    terms = await schedule_session(conn, make_id, organization_id, event.event_id, wish, seat_map_id)
    await publish_event(conn, make_id, organization_id, event.event_id)
    return OnSale(organization_id, event.event_id, terms.session_id, terms.ticket_types[0].ticket_type_id, keys)


def room(seats: int) -> SeatMap:
    """Draw a room of so many seats in rows of a hundred, fifty rows a section. Pure."""
    rows = [
        row_of(str(number + 1), "s" * min(_SEATS_IN_A_ROW, seats - number * _SEATS_IN_A_ROW), line(0, 10 + number))
        for number in range(-(-seats // _SEATS_IN_A_ROW))
    ]
    sections = [
        section_of(
            f"s{at}", f"Section {at}", rows[at * 50 : at * 50 + 50], (0, 10.0 + at * 50), rank=at, category=_CATEGORY
        )
        for at in range(-(-len(rows) // 50))
    ]
    return seat_map_from(
        {
            "format": "fullhouse-seat-map",
            "version": 1,
            "name": f"A room of {seats}",
            "price_categories": [{"key": _CATEGORY, "name": "Stalls"}],
            "sections": list(sections),
        }
    )
