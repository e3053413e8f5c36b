"""Writing CSV that opens in a spreadsheet without running anything. Pure.

RFC 4180: commas, CRLF, quotes doubled. A text that a spreadsheet would take for a formula begins with an apostrophe.
Numbers are ours and stay numbers, negative ones too.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from fullhouse.core.money import currency_exponent

Cell = str | int | datetime | UUID | None

_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""The last four are full-width: some spreadsheets read them as the others."""
_QUOTED = frozenset(',"\r\n')


def csv_line(cells: Iterable[Cell]) -> str:
    """Write one line, with its end."""
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def decimal_text(amount_minor: int, currency: str) -> str:
    """Write an amount with the currency's decimals, ``-12.50``, ``1200``, ``1.250``: a number, without the code."""
    exponent = currency_exponent(currency)
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    return f"{sign}{whole}.{rest:0{exponent}d}" if exponent else f"{sign}{whole}"


class Number(str):
    """A text that is a number of ours, and so no formula."""

    __slots__ = ()


def _cell(value: Cell) -> str:
    match value:
        case None:
            return ""
        case Number() | int() | UUID():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case str():
            return _text(value)


def _text(value: str) -> str:
    if value[:1] in _FORMULA_STARTS and value:
        value = f"'{value}"
    if _QUOTED.isdisjoint(value):
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'
