"""Reads single values out of a file whose shape nobody promised. Each notes what is wrong and returns a stand-in."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

from fullhouse.core.json import Json
from fullhouse.seating.rules import (
    COORDINATE_MAX,
    KEY_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    OUTLINE_POINTS_MAX,
    Place,
    Point,
    Problems,
)

Members = Mapping[str, Json]

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
COLOR: Final = re.compile(r"#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|[a-zA-Z]{3,30}")


def members_of(value: Json, place: Place, problems: Problems) -> Members:
    """Return an object's members, none where it is not an object."""
    if isinstance(value, Mapping):
        return value
    problems.add(place, f"must be an object, not {kind_of(value)}")
    return {}


def list_at(members: Members, name: str, place: Place, problems: Problems, count_max: int) -> Sequence[Json]:
    """Return the items of a list of bounded length; an absent one is empty."""
    value = members.get(name, [])
    if not isinstance(value, list | tuple):
        problems.add((*place, name), f"must be a list, not {kind_of(value)}")
        return []
    if len(value) > count_max:
        problems.add((*place, name), f"may have {count_max:,} items at most, not {len(value):,}")
        return []
    return value


def refuse_others(members: Members, known: frozenset[str], place: Place, problems: Problems) -> None:
    """Note members that the format does not have: a misspelt name would otherwise be ignored in silence."""
    if members.keys() <= known:
        return
    for name in members:
        if name not in known:
            problems.add((*place, _shown(name)), "is not known here")


def text_at(
    members: Members, name: str, place: Place, problems: Problems, characters_max: int = NAME_CHARACTERS_MAX
) -> str:
    """Return a text that must be there and not be empty."""
    value = members.get(name)
    if value is None:
        problems.add((*place, name), "is missing")
        return ""
    return _text(value, (*place, name), problems, characters_max)


def optional_text_at(
    members: Members, name: str, place: Place, problems: Problems, characters_max: int = NAME_CHARACTERS_MAX
) -> str | None:
    """Return a text, or None where it is absent or null."""
    value = members.get(name)
    return None if value is None else _text(value, (*place, name), problems, characters_max)


def optional_key_at(members: Members, name: str, place: Place, problems: Problems) -> str | None:
    """Return a key, or None where it is absent or null."""
    return optional_text_at(members, name, place, problems, KEY_CHARACTERS_MAX)


def _text(value: Json, place: Place, problems: Problems, characters_max: int) -> str:
    """Check one text."""
    if not isinstance(value, str):
        problems.add(place, f"must be a text, not {kind_of(value)}")
        return ""
    text = value.strip()
    if not text:
        problems.add(place, "may not be empty")
    elif len(text) > characters_max:
        problems.add(place, f"may have {characters_max} characters at most, not {len(text):,}")
        return text[:characters_max]
    elif _UNPRINTABLE.search(text):
        problems.add(place, "may not hold line breaks or other control characters")
        return ""
    return text


def number_at(members: Members, name: str, place: Place, problems: Problems) -> float:
    """Return a coordinate that must be there."""
    value = members.get(name)
    # The common case first: a big map has very many coordinates.
    if _is_coordinate(value):
        return float(value)
    if value is None:
        problems.add((*place, name), "is missing")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        problems.add((*place, name), f"must be a number, not {kind_of(value)}")
    else:
        problems.add((*place, name), f"must be from {-COORDINATE_MAX:,} to {COORDINATE_MAX:,}")
    return 0.0


def whole_at(members: Members, name: str, place: Place, problems: Problems, *, low: int, high: int) -> int:
    """Return a whole number that must be there, between two bounds."""
    value = members.get(name)
    if value is None:
        problems.add((*place, name), "is missing")
    elif isinstance(value, bool) or not isinstance(value, int):
        problems.add((*place, name), f"must be a whole number, not {kind_of(value)}")
    elif not low <= value <= high:
        problems.add((*place, name), f"must be from {low:,} to {high:,}")
    else:
        return value
    return low


def flag_at(members: Members, name: str, place: Place, problems: Problems) -> bool:
    """Return a flag; absent is false."""
    value = members.get(name, False)
    if isinstance(value, bool):
        return value
    problems.add((*place, name), f"must be true or false, not {kind_of(value)}")
    return False


def color_at(members: Members, name: str, place: Place, problems: Problems) -> str | None:
    """Return a CSS hex colour or colour name, or None where it is absent or null."""
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, str) and COLOR.fullmatch(value):
        return value
    problems.add((*place, name), "must be a colour such as #aa3355 or teal")
    return None


def point_of(value: Json, place: Place, problems: Problems) -> Point:
    """Return a point written as an object with x and y."""
    members = members_of(value, place, problems)
    if not members:
        return Point(0.0, 0.0)
    return Point(number_at(members, "x", place, problems), number_at(members, "y", place, problems))


def outline_at(members: Members, name: str, place: Place, problems: Problems) -> tuple[Point, ...]:
    """Return a list of points written as pairs of numbers."""
    points: list[Point] = []
    for at, pair in enumerate(list_at(members, name, place, problems, OUTLINE_POINTS_MAX)):
        x, y = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
        if _is_coordinate(x) and _is_coordinate(y):
            points.append(Point(float(x), float(y)))
        else:
            bounds = f"from {-COORDINATE_MAX:,} to {COORDINATE_MAX:,}"
            problems.add((*place, name, at), f"must be a pair of numbers {bounds}")
    return tuple(points)


def kind_of(value: Json) -> str:
    """Name what somebody wrote instead."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, Mapping) else "a list"


def _is_coordinate(value: Json) -> TypeGuard[float]:
    """Say whether a value is a number within the bounds of a drawing."""
    return (type(value) is float or type(value) is int) and -COORDINATE_MAX <= value <= COORDINATE_MAX


def _shown(name: str) -> str:
    """Return a member's name fit to be shown."""
    return _UNPRINTABLE.sub("?", name)[:NAME_CHARACTERS_MAX]
