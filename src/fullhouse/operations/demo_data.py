"""The demo: an organization, a festival with general admission, a theatre with numbered seats, and two API keys.

Ids and keys are derived from the installation's secret key, so a second start finds what the first one made and can
show the same keys again.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from fullhouse.catalogue.rules import PriceWish, SessionWish, TicketTypeWish
from fullhouse.catalogue.schedule_session import schedule_session
from fullhouse.core.actor import OPERATOR
from fullhouse.core.clock import Clock
from fullhouse.core.ids import MakeId, uuid7
from fullhouse.core.secrets import derive_key
from fullhouse.events.create_event import create_event
from fullhouse.events.publish_event import publish_event
from fullhouse.events.rules import HOLD_SECONDS_DEFAULT, PER_ORDER_DEFAULT, EventFields
from fullhouse.events.session_dates import SessionDates
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.postgres import Connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.operations.generate_seat_map import generate_seat_map
from fullhouse.organizations.create_organization import create_organization
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import (
    API_KEY_SECRET_BYTES,
    NewApiKey,
    NewOrganization,
    Role,
    write_api_key,
)
from fullhouse.seating.publish_seat_map import publish_seat_map

FESTIVAL_CAPACITY = 5_000
_TIME_ZONE = "Europe/Lisbon"


@dataclass(frozen=True, slots=True)
class DemoData:
    """What a person needs to try the demo."""

    organization_id: UUID
    manager_key: str
    scanner_key: str


def demo_data_of(secret_key: bytes) -> DemoData:
    """Tell the demo's organization and keys of an installation by its secret key."""
    key = derive_key(secret_key, "demo data")
    return DemoData(
        organization_id=_id(key, "organization"),
        manager_key=write_api_key(_id(key, "manager key"), _secret(key, "manager key")),
        scanner_key=write_api_key(_id(key, "scanner key"), _secret(key, "scanner key")),
    )


async def make_demo_data(resources: Resources) -> DemoData:
    """Make the demo's data in one transaction, or find it as an earlier start left it."""
    key = derive_key(resources.secret_key, "demo data")
    data = demo_data_of(resources.secret_key)
    with acting_as(OPERATOR):
        async with transaction(resources.pool, data.organization_id) as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('fullhouse demo data', 0))")
            if await load_organization(conn, data.organization_id) is None:
                await _make_organization(conn, key, resources.clock, data)
                today = resources.clock().date()
                await make_festival(conn, resources.make_id, data.organization_id, today)
                await make_theatre(conn, resources.make_id, data.organization_id, today)
    return data


async def make_festival(conn: Connection, make_id: MakeId, organization_id: UUID, today: date) -> UUID:
    """Make a festival of two days with general admission, and return the id of its first session."""
    fields = EventFields(
        "Harbour Lights Festival",
        "Two evenings of music by the river: three stages, street food and a boat that plays jazz.\n"
        "Gates open at five; bring a jacket.",
        "Riverside Park",
        _TIME_ZONE,
        "EUR",
    )
    event = await create_event(conn, make_id, organization_id, fields)
    first_day = _next_saturday(today + timedelta(days=45))
    sessions: list[UUID] = []
    for number, name in enumerate(("Saturday", "Sunday")):
        starts = datetime.combine(first_day + timedelta(days=number), time(18, 0))
        terms = await schedule_session(
            conn,
            make_id,
            organization_id,
            event.event_id,
            _session(
                name,
                (starts, starts + timedelta(hours=6)),
                (
                    TicketTypeWish("Day ticket", capacity=FESTIVAL_CAPACITY, price_minor=4_500),
                    TicketTypeWish("Riverside terrace", "With a view and a seat", capacity=200, price_minor=9_000),
                ),
                gates=("North gate", "River gate"),
            ),
        )
        sessions.append(terms.session_id)
    await publish_event(conn, make_id, organization_id, event.event_id)
    return sessions[0]


async def make_theatre(conn: Connection, make_id: MakeId, organization_id: UUID, today: date) -> UUID:
    """Make a play on the shipped theatre of 1,200 seats, and return the id of its first session."""
    published = await publish_seat_map(conn, make_id, organization_id, generate_seat_map("theatre"))
    fields = EventFields(
        "The Glass Orchard",
        "A comedy in two acts about a family, a greenhouse and one very old pear tree.",
        "Linden Theatre",
        _TIME_ZONE,
        "EUR",
    )
    event = await create_event(conn, make_id, organization_id, fields)
    keys = [category.key for category in published.seat_map.price_categories]
    full = [6_000 - 1_500 * number for number in range(len(keys))]
    sessions: list[UUID] = []
    first_night = _next_saturday(today + timedelta(days=60)) - timedelta(days=1)
    for number, name in enumerate(("First night", "Second night")):
        starts = datetime.combine(first_night + timedelta(days=number), time(20, 0))
        terms = await schedule_session(
            conn,
            make_id,
            organization_id,
            event.event_id,
            _session(
                name,
                (starts, starts + timedelta(hours=3)),
                (
                    TicketTypeWish("Full price", prices=_prices(keys, full)),
                    TicketTypeWish("Student", prices=_prices(keys, [price * 6 // 10 for price in full])),
                ),
            ),
            published.seat_map_id,
        )
        sessions.append(terms.session_id)
    await publish_event(conn, make_id, organization_id, event.event_id)
    return sessions[0]


def _session(
    name: str, times: tuple[datetime, datetime], ticket_types: Sequence[TicketTypeWish], gates: Sequence[str] = ()
) -> SessionWish:
    starts, ends = times
    return SessionWish(
        dates=SessionDates(_TIME_ZONE, WallClock(starts), WallClock(ends)),
        name=name,
        hold_seconds=HOLD_SECONDS_DEFAULT,
        per_order_max=PER_ORDER_DEFAULT,
        release_on_decline=False,
        reseat_equal=True,
        gates=gates,
        ticket_types=ticket_types,
    )


async def _make_organization(conn: Connection, key: bytes, clock: Clock, data: DemoData) -> None:
    new = NewOrganization("Fullhouse Demo", "boxoffice@example.com")
    await create_organization(conn, lambda: data.organization_id, clock, new, None)
    for label, role in (("manager key", Role.MANAGER), ("scanner key", Role.SCANNER)):
        await issue_api_key(
            conn,
            lambda label=label: _id(key, label),
            lambda count, label=label: _secret(key, label)[:count],
            data.organization_id,
            NewApiKey(f"Demo {role}", role),
        )


def _id(key: bytes, label: str) -> UUID:
    return uuid7(0, hmac.digest(key, f"id {label}".encode(), hashlib.sha256)[:10])


def _secret(key: bytes, label: str) -> bytes:
    return hmac.digest(key, f"secret {label}".encode(), hashlib.sha256)[:API_KEY_SECRET_BYTES]


def _prices(keys: list[str], amounts: list[int]) -> list[PriceWish]:
    return [PriceWish(key, max(amount, 500)) for key, amount in zip(keys, amounts, strict=True)]


def _next_saturday(day: date) -> date:
    return day + timedelta(days=(5 - day.weekday()) % 7)
