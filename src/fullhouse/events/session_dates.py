"""The dates of a session as wall clock in its time zone, and the instants that they are. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fullhouse.core.errors import invalid_field
from fullhouse.events.rules import LocalDates, SessionTerms
from fullhouse.events.wall_clock import WallClock, check_time_zone, to_instant, to_wall_clock


@dataclass(frozen=True, slots=True)
class SessionDates:
    """When a session starts and ends, is sold, and lets people in. Only the start must be known."""

    time_zone: str
    starts: WallClock
    ends: WallClock | None = None
    sales_from: WallClock | None = None
    sales_until: WallClock | None = None
    """Without it, sales end when the session starts."""
    entry_from: WallClock | None = None
    entry_until: WallClock | None = None


@dataclass(frozen=True, slots=True)
class Instants:
    """The same dates as instants in UTC."""

    starts_at: datetime
    ends_at: datetime | None
    sales_from: datetime | None
    sales_until: datetime | None
    entry_from: datetime | None
    entry_until: datetime | None


def resolve_dates(dates: SessionDates) -> Instants:
    """Turn wall clock into instants and check that they make sense together.

    Raises ``Invalid`` naming the field: an unknown zone, a time in a gap, an end before its start, sales that could
    never open.
    """
    check_time_zone(dates.time_zone)
    instants = Instants(
        starts_at=to_instant(dates.starts, dates.time_zone, "starts_local"),
        ends_at=_instant(dates.ends, dates.time_zone, "ends_local"),
        sales_from=_instant(dates.sales_from, dates.time_zone, "sales_from_local"),
        sales_until=_instant(dates.sales_until, dates.time_zone, "sales_until_local"),
        entry_from=_instant(dates.entry_from, dates.time_zone, "entry_from_local"),
        entry_until=_instant(dates.entry_until, dates.time_zone, "entry_until_local"),
    )
    _check_order(instants)
    return instants


def dates_of(terms: SessionTerms) -> SessionDates:
    """Return the dates of a session as they were announced."""
    local = local_dates(terms)
    return SessionDates(
        time_zone=terms.time_zone,
        starts=_announced(local.starts, terms.starts_at, terms.time_zone),
        ends=_announced_or_none(local.ends, terms.ends_at, terms.time_zone),
        sales_from=_announced_or_none(local.sales_from, terms.sales_from, terms.time_zone),
        sales_until=_announced_or_none(local.sales_until, terms.sales_until, terms.time_zone),
        entry_from=_announced_or_none(local.entry_from, terms.entry_from, terms.time_zone),
        entry_until=_announced_or_none(local.entry_until, terms.entry_until, terms.time_zone),
    )


def local_dates(terms: SessionTerms) -> LocalDates:
    """Return the wall clock of a session's dates: as announced, or else what the clocks show at its instants."""
    return terms.local or LocalDates(
        starts=to_wall_clock(terms.starts_at, terms.time_zone).local,
        ends=_shown(terms.ends_at, terms.time_zone),
        sales_from=_shown(terms.sales_from, terms.time_zone),
        sales_until=_shown(terms.sales_until, terms.time_zone),
        entry_from=_shown(terms.entry_from, terms.time_zone),
        entry_until=_shown(terms.entry_until, terms.time_zone),
    )


def with_dates(terms: SessionTerms, dates: SessionDates) -> SessionTerms:
    """Return the terms with other dates. Raises as ``resolve_dates``."""
    instants = resolve_dates(dates)
    return replace(
        terms,
        time_zone=dates.time_zone,
        starts_at=instants.starts_at,
        ends_at=instants.ends_at,
        sales_from=instants.sales_from,
        sales_until=instants.sales_until,
        entry_from=instants.entry_from,
        entry_until=instants.entry_until,
        local=LocalDates(
            starts=dates.starts.local,
            ends=_local(dates.ends),
            sales_from=_local(dates.sales_from),
            sales_until=_local(dates.sales_until),
            entry_from=_local(dates.entry_from),
            entry_until=_local(dates.entry_until),
        ),
    )


def moved_by(clock: WallClock | None, distance: timedelta) -> WallClock | None:
    """Return a wall clock moved on the clock's face: a day later is the same hour, whatever the offset."""
    return None if clock is None else WallClock(clock.local + distance, clock.fold)


def _check_order(dates: Instants) -> None:
    ends_at = dates.ends_at
    if ends_at is not None and ends_at <= dates.starts_at:
        raise invalid_field("ends_local", "The end must come after the start.")
    sales_end = dates.sales_until or dates.starts_at
    if dates.sales_from is not None and dates.sales_from >= sales_end:
        raise invalid_field("sales_from_local", "Sales must open before they close, which is at the start if not said.")
    if dates.sales_until is not None and dates.sales_until > (ends_at or dates.starts_at + timedelta(days=1)):
        raise invalid_field(
            "sales_until_local", "Sales must close by the end of the session, or a day after its start."
        )
    entry_end = dates.entry_until or ends_at
    if dates.entry_from is not None and entry_end is not None and dates.entry_from >= entry_end:
        raise invalid_field("entry_from_local", "Doors must open before they close.")


def _instant(clock: WallClock | None, time_zone: str, field: str) -> datetime | None:
    return None if clock is None else to_instant(clock, time_zone, field)


def _announced(local: datetime, instant: datetime, time_zone: str) -> WallClock:
    """Tell which of two equal local times was meant, by the instant that was kept beside it."""
    shown = to_wall_clock(instant, time_zone)
    return shown if shown.local == local else WallClock(local)


def _announced_or_none(local: datetime | None, instant: datetime | None, time_zone: str) -> WallClock | None:
    return None if local is None or instant is None else _announced(local, instant, time_zone)


def _shown(instant: datetime | None, time_zone: str) -> datetime | None:
    return None if instant is None else to_wall_clock(instant, time_zone).local


def _local(clock: WallClock | None) -> datetime | None:
    return None if clock is None else clock.local
