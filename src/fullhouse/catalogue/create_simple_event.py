"""The short form: a published event with one general-admission session, in one call."""

from uuid import UUID

from fullhouse.catalogue.rules import SessionWish, SimpleEventWish, TicketTypeWish
from fullhouse.catalogue.schedule_session import schedule_session
from fullhouse.core.ids import MakeId
from fullhouse.events.create_event import create_event
from fullhouse.events.publish_event import publish_event
from fullhouse.events.rules import HOLD_SECONDS_DEFAULT, PER_ORDER_DEFAULT, EventFields, SessionTerms
from fullhouse.events.session_dates import SessionDates
from fullhouse.events.wall_clock import WallClock, check_time_zone, to_instant, to_wall_clock
from fullhouse.infra.postgres import Connection


async def create_simple_event(
    conn: Connection, make_id: MakeId, organization_id: UUID, wish: SimpleEventWish
) -> SessionTerms:
    """Create an event with one session and one ticket type and publish it. Returns the terms of the session.

    Raises ``Invalid`` naming the field, which is ``date`` for a local time that the clocks skip.
    """
    check_time_zone(wish.time_zone)
    aware = wish.starts.tzinfo is not None
    starts = to_wall_clock(wish.starts, wish.time_zone) if aware else WallClock(wish.starts)
    to_instant(starts, wish.time_zone, "date")
    fields = EventFields(wish.name, wish.description, wish.location, wish.time_zone, wish.currency, wish.per_buyer_max)
    event = await create_event(conn, make_id, organization_id, fields)
    session = SessionWish(
        dates=SessionDates(wish.time_zone, starts),
        name="",
        hold_seconds=HOLD_SECONDS_DEFAULT,
        per_order_max=PER_ORDER_DEFAULT,
        release_on_decline=False,
        reseat_equal=True,
        gates=(),
        ticket_types=(TicketTypeWish(wish.ticket_type, capacity=wish.capacity, price_minor=wish.price_minor),),
    )
    terms = await schedule_session(conn, make_id, organization_id, event.event_id, session)
    await publish_event(conn, make_id, organization_id, event.event_id)
    return terms
