"""Sessions with stock for tests below the catalogue: written straight into the tables, each in its own organization."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fullhouse.catalogue.rules import PriceWish, SessionWish, TicketTypeWish
from fullhouse.catalogue.schedule_session import schedule_session
from fullhouse.events.create_event import create_event
from fullhouse.events.publish_event import publish_event
from fullhouse.events.rules import EventFields
from fullhouse.events.session_dates import SessionDates
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra import system
from fullhouse.infra.directory import register
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.reservations.open_stock import open_stock
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.rules import ItemRequest, NewQuota
from fullhouse.seating.publish_seat_map import publish_seat_map
from fullhouse.seating.rules import Point, PriceCategory, Row, Seat, SeatMap, Section

SERVER_KEY = b"a server key for tests, 32 bytes long"


@dataclass
class MadeSession:
    """What a test needs to know of its session."""

    organization_id: UUID
    event_id: UUID
    session_id: UUID
    category_quota: UUID
    types: dict[str, UUID]
    quotas: dict[str, UUID] = field(default_factory=dict)


@dataclass(frozen=True)
class TypePlan:
    """A ticket type to make: its price, and the names of extra quotas that it draws on."""

    price_minor: int = 1000
    quotas: tuple[str, ...] = ()
    per_order_max: int | None = None


async def make_session(
    pool: Pool,
    *,
    capacity: int = 100,
    types: dict[str, TypePlan] | None = None,
    quotas: dict[str, int] | None = None,
    per_order_max: int = 10,
    hold_seconds: int = 900,
    sales_from: datetime | None = None,
) -> MadeSession:
    """Make an organization, an event and a general-admission session that is on sale."""
    types = types or {"adult": TypePlan()}
    make_id = system.make_id
    made = MadeSession(make_id(), make_id(), make_id(), make_id(), {name: make_id() for name in types})
    made.quotas = {name: make_id() for name in quotas or {}}
    async with transaction(pool, made.organization_id) as conn:
        await _insert_event(conn, made, per_order_max, hold_seconds, sales_from)
        await conn.execute(
            "INSERT INTO price_categories VALUES ($1, $2, $3, 'standing', 'Standing', 0, $4)",
            made.organization_id,
            made.session_id,
            category := make_id(),
            made.category_quota,
        )
        for position, (name, plan) in enumerate(types.items()):
            await conn.execute(
                """
                INSERT INTO ticket_types (organization_id, session_id, ticket_type_id, name, position,
                                          per_order_max, quota_ids) VALUES ($1, $2, $3, $4, $5, $6, $7)
                """,
                made.organization_id,
                made.session_id,
                made.types[name],
                name,
                position,
                plan.per_order_max,
                [made.quotas[quota] for quota in plan.quotas],
            )
            await conn.execute(
                "INSERT INTO prices VALUES ($1, $2, $3, $4, $5)",
                made.organization_id,
                made.session_id,
                made.types[name],
                category,
                plan.price_minor,
            )
        extra = [NewQuota(made.quotas[name], "shared", name, size) for name, size in (quotas or {}).items()]
        await open_stock(
            conn,
            made.organization_id,
            made.session_id,
            quotas=[NewQuota(made.category_quota, "category", "standing", capacity), *extra],
        )
    return made


async def _insert_event(
    conn: Connection, made: MadeSession, per_order_max: int, hold_seconds: int, sales_from: datetime | None
) -> None:
    await conn.execute(
        "INSERT INTO organizations (organization_id, name) VALUES ($1, 'Test hall')", made.organization_id
    )
    await conn.execute(
        """
        INSERT INTO events (organization_id, event_id, name, time_zone, currency, status)
        VALUES ($1, $2, 'A concert', 'Europe/Lisbon', 'EUR', 'published')
        """,
        made.organization_id,
        made.event_id,
    )
    starts = datetime.now(UTC) + timedelta(days=30)
    await conn.execute(
        """
        INSERT INTO sessions (organization_id, session_id, event_id, time_zone, starts_local, starts_at,
                              per_order_max, hold_seconds, sales_from)
        VALUES ($1, $2, $3, 'Europe/Lisbon', $4, $5, $6, $7, $8)
        """,
        made.organization_id,
        made.session_id,
        made.event_id,
        starts.replace(tzinfo=None),
        starts,
        per_order_max,
        hold_seconds,
        sales_from,
    )
    await register(conn, "event", made.organization_id, [made.event_id])
    await register(conn, "session", made.organization_id, [made.session_id])


def box_office(pool: Pool, patience_seconds: float = 0.0) -> BoxOffice:
    """Open the desks of one process, whose batches wait so long for company."""
    return BoxOffice(pool, system.make_id, SERVER_KEY, patience=lambda: patience_seconds)


def wants(made: MadeSession, quantity: int, type_name: str = "adult") -> tuple[ItemRequest, ...]:
    """Ask for a quantity of one ticket type."""
    return (ItemRequest(made.types[type_name], quantity=quantity),)


async def counters(pool: Pool, made: MadeSession, name: str = "standing") -> tuple[int, int, int, int]:
    """Return capacity, held, sold and blocked of a quota."""
    row = await pool.fetchrow(
        """
        SELECT capacity, held, sold, blocked FROM quotas
        WHERE organization_id = $1 AND session_id = $2 AND name = $3
        """,
        made.organization_id,
        made.session_id,
        name,
    )
    assert row is not None
    return tuple(row)


def rectangle(rows: int, seats_per_row: int) -> SeatMap:
    """Make a room of one section in one price category, with keys such as ``3-14`` (row, seat)."""
    made = tuple(
        Row(
            key=str(row),
            name=str(row),
            seats=tuple(
                Seat(
                    index=(row - 1) * seats_per_row + seat - 1,
                    key=f"{row}-{seat}",
                    number=str(seat),
                    label=f"Row {row}, {seat}",
                    x=float(seat),
                    y=float(row),
                    price_category="stalls",
                )
                for seat in range(1, seats_per_row + 1)
            ),
        )
        for row in range(1, rows + 1)
    )
    section = Section("stalls", "Stalls", 1, Point(seats_per_row / 2, 0.0), made)
    return SeatMap(f"Room {rows} x {seats_per_row}", (PriceCategory("stalls", "Stalls"),), (section,))


async def make_seated_session(pool: Pool, seat_map: SeatMap, *, per_order_max: int = 100) -> MadeSession:
    """Make an organization, an event and a session on a published map, on sale, through the catalogue."""
    make_id = system.make_id
    organization_id = make_id()
    starts = (datetime.now(UTC) + timedelta(days=30)).replace(tzinfo=None, microsecond=0)
    async with transaction(pool, organization_id) as conn:
        await conn.execute(
            "INSERT INTO organizations (organization_id, name) VALUES ($1, 'Test theatre')", organization_id
        )
        fields = EventFields("A play", "", "Main hall", "Europe/Lisbon", "EUR")
        event = await create_event(conn, make_id, organization_id, fields)
        published = await publish_seat_map(conn, make_id, organization_id, seat_map)
        prices = [PriceWish(category.key, 1000) for category in seat_map.price_categories]
        wish = SessionWish(
            dates=SessionDates("Europe/Lisbon", WallClock(starts)),
            name="",
            hold_seconds=900,
            per_order_max=per_order_max,
            release_on_decline=False,
            reseat_equal=True,
            gates=(),
            ticket_types=(TicketTypeWish("adult", prices=prices),),
        )
        terms = await schedule_session(conn, make_id, organization_id, event.event_id, wish, published.seat_map_id)
        await publish_event(conn, make_id, organization_id, event.event_id)
    types = {one.name: one.ticket_type_id for one in terms.ticket_types}
    return MadeSession(organization_id, event.event_id, terms.session_id, terms.price_categories[0].quota_id, types)
