"""How counts and the leaf of a calendar are written in a language. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

from fullhouse.infra.languages import Translator


def month(speak: Translator, instant: datetime, time_zone: str) -> str:
    """Name the month of an instant, shortly: ``Dec``."""
    return format_date(instant.astimezone(ZoneInfo(time_zone)).date(), "MMM", locale=speak.locale).rstrip(".")


def day(instant: datetime, time_zone: str) -> str:
    """Return the day of the month of an instant."""
    return str(instant.astimezone(ZoneInfo(time_zone)).day)


def number(speak: Translator, count: int) -> str:
    """Write a count with its thousands apart: ``1,200``."""
    return format_decimal(count, locale=speak.locale)
