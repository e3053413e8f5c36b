"""Schedule a session: its dates and terms, and the stock that it has to sell."""

from uuid import UUID

from fullhouse.catalogue.rules import SessionWish
from fullhouse.catalogue.session_plan import SessionPlan
from fullhouse.core.errors import invalid_field
from fullhouse.core.ids import MakeId
from fullhouse.events.add_session import add_session
from fullhouse.events.lock_terms import lock_event
from fullhouse.events.rules import Event, SessionStatus, SessionTerms
from fullhouse.events.session_dates import resolve_dates, with_dates
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.open_stock import open_stock
from fullhouse.seating.queries import load_seat_map
from fullhouse.seating.rules import SeatMap, SeatMapNotFound


async def schedule_session(
    conn: Connection,
    make_id: MakeId,
    organization_id: UUID,
    event_id: UUID,
    wish: SessionWish,
    seat_map_id: UUID | None = None,
) -> SessionTerms:
    """Add a session to an event and open its stock. A session of a published event is public at once.

    With a seat map, every price category of the map becomes one of the session, and places are counted from the map.
    Raises ``EventNotFound``, ``EventIsCancelled``, ``TooManySessions``, and ``Invalid`` naming each field that makes
    no sense.
    """
    event = await lock_event(conn, organization_id, event_id)
    seat_map = None
    if seat_map_id is not None:
        try:
            seat_map = await load_seat_map(conn, organization_id, seat_map_id)
        except SeatMapNotFound as missing:
            raise invalid_field("seat_map_id", "There is no such seat map.") from missing
    terms, plan = plan_session(event, wish, seat_map_id, seat_map, make_id)
    await add_session(conn, make_id, terms)
    await open_stock(
        conn,
        organization_id,
        terms.session_id,
        quotas=plan.new_quotas,
        seat_map_id=seat_map_id,
        seat_count=0 if seat_map is None else seat_map.seat_count,
    )
    act = Act("session.schedule", "session", terms.session_id, {"event_id": str(event_id)})
    await record(conn, organization_id, act)
    return terms


def plan_session(
    event: Event, wish: SessionWish, seat_map_id: UUID | None, seat_map: SeatMap | None, make_id: MakeId
) -> tuple[SessionTerms, SessionPlan]:
    """Decide the terms and the quotas of a new session. Pure but for the new ids."""
    plan = SessionPlan(make_id)
    plan.add_shared(list(enumerate(wish.quotas)))
    if seat_map is None:
        plan.add_categories(wish.price_categories)
    else:
        plan.take_seat_map(seat_map, wish.price_categories)
    plan.add_ticket_types(wish.ticket_types, field="ticket_types", seated=seat_map is not None)
    plan.complaints.raise_if_any()
    instants = resolve_dates(wish.dates)
    terms = SessionTerms(
        organization_id=event.organization_id,
        event_id=event.event_id,
        event_name=event.name,
        event_status=event.status,
        location=event.location,
        session_id=make_id(),
        session_name=wish.name,
        status=SessionStatus.SCHEDULED,
        currency=event.currency,
        time_zone=wish.dates.time_zone,
        starts_at=instants.starts_at,
        ends_at=instants.ends_at,
        sales_from=instants.sales_from,
        sales_until=instants.sales_until,
        entry_from=instants.entry_from,
        entry_until=instants.entry_until,
        gates=tuple(wish.gates),
        seat_map_id=seat_map_id,
        hold_seconds=wish.hold_seconds,
        per_order_max=wish.per_order_max,
        release_on_decline=wish.release_on_decline,
        reseat_equal=wish.reseat_equal,
        price_categories=tuple(plan.categories.values()),
        ticket_types=tuple(plan.ticket_types),
    )
    return with_dates(terms, wish.dates), plan
