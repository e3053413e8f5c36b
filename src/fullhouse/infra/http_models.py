"""Wire models: the base that every body shares, and types with bounds, so that no number or text is without limit.

JSON has more texts and numbers than Postgres can store: NUL characters, lone surrogates, NaN and infinities are
refused here, once, for all fields.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    Strict,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from fullhouse.core.money import AMOUNT_MINOR_MAX, CURRENCIES
from fullhouse.infra.http_cursor import SortKey, encode_cursor

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WALL_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)
_YEARS = range(1970, 2200)
_DEPTH_MAX = 32


def unstorable(value: object, depth: int = 0) -> bool:
    """Say whether a JSON value holds what Postgres cannot store, or is nested more than 32 deep."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, float):
        return not math.isfinite(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return False
    if depth >= _DEPTH_MAX:
        return True
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return any(unstorable(key, depth + 1) or unstorable(item, depth + 1) for key, item in pairs)
    return any(unstorable(item, depth + 1) for item in cast("Sequence[object]", value))


class ApiModel(BaseModel):
    """A body sent or answered: unknown fields are refused, values do not change, and errors do not repeat input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def refuse_unstorable(cls, value: Any) -> Any:  # noqa: ANN401 (whatever was sent)
        """Refuse what no column could hold, before anything else looks at it."""
        if unstorable(value):
            raise PydanticCustomError(
                "unstorable", "May not hold NUL characters, lone surrogates, NaN, infinities or very deep nesting."
            )
        return value


Found = TypeVar("Found")
Item = TypeVar("Item")


class Page(ApiModel, Generic[Item]):
    """One page of a list. ``next_cursor`` is sent back as ``cursor`` to get the next; null means that there is none."""

    items: list[Item]
    next_cursor: str | None = None


def page_of(
    list_name: str,
    found: Sequence[Found],
    limit: int,
    answer: Callable[[Found], Item],
    sort_key: Callable[[Found], SortKey],
) -> Page[Item]:
    """Show the first ``limit`` of what was found; where one more was found, a cursor leads to it."""
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[answer(one) for one in shown],
        next_cursor=encode_cursor(list_name, *sort_key(shown[-1])) if more else None,
    )


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("one_line", "May not hold line breaks or other control characters.")
    return value


def _instant_text(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _INSTANT.fullmatch(value)):
        return value
    raise PydanticCustomError("instant", "Write an instant of RFC 3339, such as 2027-05-01T18:00:00Z.")


def _wall_clock_text(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _WALL_CLOCK.fullmatch(value)):
        return value
    raise PydanticCustomError("wall_clock", "Write a local date and time without an offset, such as 2027-05-01T20:00.")


def _in_years(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise PydanticCustomError("year", "The year must be from 1970 to 2199.")
    return value


def _known_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise PydanticCustomError("currency", "Write the code of a currency of ISO 4217, such as EUR.")
    return value


Whole = Annotated[int, Strict(), Field(ge=0, le=1_000_000_000)]
"""A count: a JSON integer, never ``1.0``, ``"1"`` or ``true``."""

Quantity = Annotated[int, Strict(), Field(ge=1, le=1000)]
"""How many tickets are asked for."""

Capacity = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
"""How many places there are."""

PriceMinor = Annotated[int, Strict(), Field(ge=0, lt=AMOUNT_MINOR_MAX)]
"""Money in minor units."""

Flag = Annotated[bool, Strict()]
"""``true`` or ``false`` and nothing that resembles them."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line of text that may not be empty."""

ShortName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_one_line)
]
"""One line of at most 100 characters."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_one_line)]
"""One line that may be empty."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
"""Text of several lines that may be empty."""

Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=254,
        pattern=(
            r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
            r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
        ),
    ),
]
"""A mail address as HTML's ``input type=email`` takes it, with a dot in its domain."""

Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$"), AfterValidator(_known_currency)]
"""A code of ISO 4217."""

Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant_text),
    AfterValidator(_in_years),
    AfterValidator(lambda value: value.astimezone(UTC)),
]
"""An instant of RFC 3339, kept and answered in UTC."""

WallClock = Annotated[
    NaiveDatetime,
    BeforeValidator(_wall_clock_text),
    AfterValidator(_in_years),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$"}),
]
"""A local date and time as announced; the time zone stands beside it."""

Id = UUID
"""The id of a thing."""
