"""Import a seat map: our own JSON form, or the seating-plan JSON of pretix, told apart by their shape. Pure."""

import json
from typing import Never, cast

from fullhouse.core.json import Json
from fullhouse.seating.formats.fields import kind_of
from fullhouse.seating.formats.fullhouse import read_fullhouse_format
from fullhouse.seating.formats.pretix import read_pretix_format
from fullhouse.seating.rules import DOCUMENT_BYTES_MAX, Problems, SeatMap


def import_seat_map(raw: bytes | str) -> SeatMap:
    """Read a file of at most 64 MB in UTF-8. Raises ``SeatMapInvalid``, naming every place that is wrong."""
    problems = Problems()
    if len(raw) > DOCUMENT_BYTES_MAX:
        _refuse(problems, f"may have {DOCUMENT_BYTES_MAX:,} bytes at most, not {len(raw):,}")
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        document = cast("Json", json.loads(text, parse_constant=_refuse_constant))
    except UnicodeDecodeError as broken:
        _refuse(problems, f"is not UTF-8 (byte {broken.start:,})")
    except json.JSONDecodeError as broken:
        _refuse(problems, f"is not JSON: {broken.msg} in line {broken.lineno}, column {broken.colno}")
    except RecursionError:
        _refuse(problems, "is nested too deeply")
    except ValueError as broken:
        _refuse(problems, f"is not JSON: {broken}")
    return seat_map_from(document)


def seat_map_from(document: Json) -> SeatMap:
    """Read a document that was parsed already. Raises ``SeatMapInvalid``, naming every place that is wrong."""
    problems = Problems()
    if not isinstance(document, dict):
        _refuse(problems, f"must be an object, not {kind_of(document)}")
    if "zones" in document:
        return read_pretix_format(document, problems)
    if not document.keys() & {"format", "sections", "areas"}:
        _refuse(problems, "is no seat map: it has neither sections or areas, nor the zones of a pretix seating plan")
    return read_fullhouse_format(document, problems)


def _refuse(problems: Problems, message: str) -> Never:
    """Raise the one problem that the whole document has."""
    problems.add((), message)
    problems.raise_if_any()
    raise AssertionError(message)


def _refuse_constant(name: str) -> Never:
    """Refuse NaN and the infinities, which JSON does not have."""
    msg = f"{name} is not a number of JSON"
    raise ValueError(msg)
