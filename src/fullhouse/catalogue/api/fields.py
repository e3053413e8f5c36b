"""Types of the fields that organizers send: time zones, keys, wall clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, StringConstraints, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from fullhouse.events import wall_clock
from fullhouse.infra.http import Instant, WallClock

UNSET: Any = None
"""The default of a field that may be left out, but not be null."""

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_WALL_CLOCK: TypeAdapter[datetime] = TypeAdapter(WallClock)
_LOCAL_SCHEMA = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$"}


def _known_time_zone(value: str) -> str:
    if value not in wall_clock.time_zones():
        raise PydanticCustomError("time_zone", "Write the name of an IANA time zone, such as Europe/Lisbon.")
    return value


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_time_zone)]
"""The name of an IANA time zone."""

Key = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""The key of a price category, an area or a seat, as it stands in the seat map."""

HoldSeconds = Annotated[int, Field(strict=True, ge=60, le=7200)]
"""How long a reservation lasts: one minute to two hours."""


def read_when(value: object) -> wall_clock.WallClock:
    """Read a local time, as text or as ``{"local": text, "fold": 0 or 1}``."""
    if isinstance(value, Mapping):
        sent = cast("Mapping[str, object]", value)
        fold = sent.get("fold", 0)
        if sent.keys() - {"local", "fold"} or isinstance(fold, bool) or fold not in (0, 1):
            raise PydanticCustomError("folded", "Write local and fold, which is 0 or 1, and nothing else.")
        return wall_clock.WallClock(_WALL_CLOCK.validate_python(_text(sent.get("local"))), 1 if fold == 1 else 0)
    return wall_clock.WallClock(_WALL_CLOCK.validate_python(_text(value)))


def _text(value: object) -> str:
    """Take a text that is a local time; the adapter behind it would tell less of what is wrong."""
    if not isinstance(value, str) or not _reads(_WALL_CLOCK, value):
        raise PydanticCustomError("wall_clock", "Write a local date and time without an offset: 2027-05-01T20:00.")
    return value


When = Annotated[
    InstanceOf[wall_clock.WallClock],
    BeforeValidator(read_when),
    WithJsonSchema(
        {
            "anyOf": [
                _LOCAL_SCHEMA,
                {
                    "type": "object",
                    "properties": {"local": _LOCAL_SCHEMA, "fold": {"type": "integer", "enum": [0, 1]}},
                    "required": ["local"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""A local time such as ``2027-05-01T20:00``. Of two equal ones, when clocks go back, the first unless ``fold`` is 1."""


def read_date(value: object) -> datetime:
    """Read an instant, or a local time without an offset, in whole seconds: nothing begins at a part of one."""
    for adapter in (_INSTANT, _WALL_CLOCK):
        if isinstance(value, str) and _reads(adapter, value):
            return adapter.validate_python(value).replace(microsecond=0)
    raise PydanticCustomError("date", "Write an instant (2027-05-01T18:00:00Z) or a local time (2027-05-01T20:00).")


def day_or_instant(value: object) -> object:
    """Take a day for its midnight in UTC, so that lists can be asked for by day."""
    try:
        return datetime.strptime(cast("str", value), "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return value


DayOrInstant = Annotated[Instant, BeforeValidator(day_or_instant)]
"""An instant, or a day, which begins in UTC."""


def _reads(adapter: TypeAdapter[datetime], value: str) -> bool:
    try:
        adapter.validate_python(value)
    except ValueError:
        return False
    return True
