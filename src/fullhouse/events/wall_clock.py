"""Wall clock and instants: what was announced, and what programs compare. Pure.

Local times follow PEP 495. One that the clocks skip (the gap in spring) does not exist and is refused, because nobody
can say which instant was meant. One that comes twice (the overlap in autumn) is the first, unless ``fold`` is 1.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from fullhouse.core.errors import Invalid, invalid_field

Fold = Literal[0, 1]

_NO_PLACES = frozenset({"localtime", "Factory"})


@dataclass(frozen=True, slots=True)
class WallClock:
    """A date and time as it stands on the clocks of a place, without an offset. ``fold`` 1 is the second of two."""

    local: datetime
    fold: Fold = 0


class NonexistentLocalTime(Invalid):
    """The clocks of the place skip this time; ``valid_before`` and ``valid_after`` are the two ends of the gap."""

    code = "nonexistent_local_time"
    title = "This local time does not exist."


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """Return the names of the IANA time zones, aliases included."""
    return frozenset(available_timezones() - _NO_PLACES)


def check_time_zone(name: str, field: str = "time_zone") -> str:
    """Return the name of a time zone. Raises ``Invalid`` naming the field for one that IANA does not know."""
    if name not in time_zones():
        raise invalid_field(field, "Write the name of an IANA time zone, such as Europe/Lisbon.")
    return name


def to_instant(clock: WallClock, time_zone: str, field: str) -> datetime:
    """Return the instant, in UTC, at which the clocks of the zone show this time.

    Raises ``NonexistentLocalTime`` naming the field if they never do.
    """
    zone = ZoneInfo(time_zone)
    instant = clock.local.replace(tzinfo=zone, fold=clock.fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == clock.local:
        return instant
    # PEP 495: inside a gap fold 0 counts with the offset before it, and fold 1 with the offset after it.
    first, second = (clock.local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    opens, closes = _gap(clock.local, first, second, zone)
    message = (
        f"The clocks of {time_zone} go from {_text(opens)} straight to {_text(closes)}, so this time does not exist."
    )
    raise NonexistentLocalTime(
        f"{field}: {message}",
        errors=[{"field": field, "message": message}],
        valid_before=_text(opens),
        valid_after=_text(closes),
    )


def to_wall_clock(instant: datetime, time_zone: str) -> WallClock:
    """Return what the clocks of the zone show at an instant."""
    shown = instant.astimezone(ZoneInfo(time_zone))
    return WallClock(shown.replace(tzinfo=None, fold=0), 1 if shown.fold else 0)


def _gap(local: datetime, before: timedelta, after: timedelta, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Find the local times at which a gap opens and closes, by halving the two instants that surround it."""
    local = local.replace(microsecond=0)
    low, high = (local - after).replace(tzinfo=UTC), (local - before).replace(tzinfo=UTC)
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    change = high.replace(tzinfo=None)
    return change + before, change + after


def _text(local: datetime) -> str:
    return local.isoformat(timespec="minutes" if not local.second else "seconds")
