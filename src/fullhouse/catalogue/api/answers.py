"""What is answered about events and sessions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import WithJsonSchema

from fullhouse.catalogue.api.offers import OfferAnswer, TicketTypeAnswer, offer_answer, ticket_type_answer
from fullhouse.catalogue.show_event import EventView, SessionView
from fullhouse.events.rules import Event, EventStatus, SessionStatus
from fullhouse.events.session_dates import local_dates
from fullhouse.infra.http import ApiModel

LocalTime = Annotated[datetime, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"})]
"""Wall clock of the time zone beside it, without an offset."""


class EventAnswer(ApiModel):
    """An event as it stands in a list."""

    id: UUID
    organization_id: UUID
    name: str
    location: str
    time_zone: str
    currency: str
    status: EventStatus
    starts_at: datetime | None
    ends_at: datetime | None
    published_at: datetime | None
    cancelled_at: datetime | None
    per_buyer_max: int | None


class SessionSummary(ApiModel):
    """A session in its event, with what is left."""

    id: UUID
    name: str
    status: SessionStatus
    time_zone: str
    starts_local: LocalTime
    starts_at: datetime
    ends_local: LocalTime | None
    ends_at: datetime | None
    sales_from: datetime | None
    sales_until: datetime | None
    seat_map_id: UUID | None
    on_sale: bool
    available: int
    ticket_types: list[OfferAnswer]


class EventDetail(EventAnswer):
    """An event with its sessions, by start."""

    description: str
    sessions: list[SessionSummary]


class PriceCategoryAnswer(ApiModel):
    """What places are worth."""

    id: UUID
    key: str
    name: str


class QuotaAnswer(ApiModel):
    """A counter of a session. ``kind`` is category, ticket_type, shared or area; ``name`` says of which."""

    id: UUID
    kind: str
    name: str
    capacity: int
    held: int
    sold: int
    blocked: int


class SessionDetail(ApiModel):
    """A session with all of its terms, and its quotas for the members of its organization."""

    id: UUID
    organization_id: UUID
    event_id: UUID
    event_name: str
    location: str
    currency: str
    name: str
    status: SessionStatus
    time_zone: str
    starts_local: LocalTime
    starts_at: datetime
    ends_local: LocalTime | None
    ends_at: datetime | None
    sales_from_local: LocalTime | None
    sales_from: datetime | None
    sales_until_local: LocalTime | None
    sales_until: datetime | None
    entry_from_local: LocalTime | None
    entry_from: datetime | None
    entry_until_local: LocalTime | None
    entry_until: datetime | None
    seat_map_id: UUID | None
    hold_seconds: int
    per_order_max: int
    release_on_decline: bool
    reseat_equal: bool
    gates: list[str]
    on_sale: bool
    available: int
    price_categories: list[PriceCategoryAnswer]
    ticket_types: list[TicketTypeAnswer]
    quotas: list[QuotaAnswer] | None


class AllocationAnswer(ApiModel):
    """Stock that is kept from the public: what is left of it."""

    id: UUID
    name: str
    reason: str
    seats: list[str]
    quantities: dict[str, int]
    release_at: datetime | None
    created_at: datetime


class BlockedAnswer(AllocationAnswer):
    """The same when it was just blocked; ``key`` lets whoever has it sell from it, and is shown now alone."""

    key: str | None


def event_answer(event: Event) -> EventAnswer:
    """Show an event in a list."""
    return EventAnswer(
        id=event.event_id,
        organization_id=event.organization_id,
        name=event.name,
        location=event.location,
        time_zone=event.time_zone,
        currency=event.currency,
        status=event.status,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        published_at=event.published_at,
        cancelled_at=event.cancelled_at,
        per_buyer_max=event.per_buyer_max,
    )


def event_detail(view: EventView) -> EventDetail:
    """Show an event with its sessions."""
    return EventDetail(
        **dict(event_answer(view.event)),
        description=view.event.description,
        sessions=[_summary(session) for session in view.sessions],
    )


def session_detail(view: EventView, *, for_member: bool) -> SessionDetail:
    """Show the one session of a view; only members see hidden ticket types, and how its quotas stand."""
    session = view.sessions[0]
    terms = session.terms
    local = local_dates(terms)
    return SessionDetail(
        id=terms.session_id,
        organization_id=terms.organization_id,
        event_id=terms.event_id,
        event_name=terms.event_name,
        location=terms.location,
        currency=terms.currency,
        name=terms.session_name,
        status=terms.status,
        time_zone=terms.time_zone,
        starts_local=local.starts,
        starts_at=terms.starts_at,
        ends_local=local.ends,
        ends_at=terms.ends_at,
        sales_from_local=local.sales_from,
        sales_from=terms.sales_from,
        sales_until_local=local.sales_until,
        sales_until=terms.sales_until,
        entry_from_local=local.entry_from,
        entry_from=terms.entry_from,
        entry_until_local=local.entry_until,
        entry_until=terms.entry_until,
        seat_map_id=terms.seat_map_id,
        hold_seconds=terms.hold_seconds,
        per_order_max=terms.per_order_max,
        release_on_decline=terms.release_on_decline,
        reseat_equal=terms.reseat_equal,
        gates=list(terms.gates),
        on_sale=session.on_sale,
        available=session.available,
        price_categories=[
            PriceCategoryAnswer(id=one.price_category_id, key=one.key, name=one.name) for one in terms.price_categories
        ],
        ticket_types=[ticket_type_answer(offer) for offer in (session.every_offer if for_member else session.offers)],
        quotas=_quotas(session) if for_member else None,
    )


def _summary(session: SessionView) -> SessionSummary:
    terms = session.terms
    local = local_dates(terms)
    return SessionSummary(
        id=terms.session_id,
        name=terms.session_name,
        status=terms.status,
        time_zone=terms.time_zone,
        starts_local=local.starts,
        starts_at=terms.starts_at,
        ends_local=local.ends,
        ends_at=terms.ends_at,
        sales_from=terms.sales_from,
        sales_until=terms.sales_until,
        seat_map_id=terms.seat_map_id,
        on_sale=session.on_sale,
        available=session.available,
        ticket_types=[offer_answer(offer) for offer in session.offers],
    )


def _quotas(session: SessionView) -> list[QuotaAnswer]:
    return [
        QuotaAnswer(
            id=quota_id,
            kind=one.kind,
            name=one.name,
            capacity=one.capacity,
            held=one.held,
            sold=one.sold,
            blocked=one.blocked,
        )
        for quota_id, one in session.counters.items()
    ]
