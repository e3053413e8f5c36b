"""Languages: what is said to buyers, in English and Brazilian Portuguese, and how dates and money are written.

The English text is the message itself; translations stand in ``fullhouse/locale`` as ``.po`` files, read once into
memory. Placeholders are ``%(name)s``, here as in Jinja's new-style gettext, and a literal percent sign is ``%%``.
"""

import gettext
import re
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Literal, cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_name
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_percent
from babel.support import Translations

from fullhouse.core.money import currency_exponent

Language = Literal["en", "pt_BR"]
LANGUAGES: tuple[Language, ...] = ("en", "pt_BR")
DEFAULT_LANGUAGE: Language = "en"
_BY_PRIMARY_TAG: dict[str, Language] = {"en": "en", "pt": "pt_BR"}
_RANGES_MAX = 20
_LETTER_BEFORE_DIGIT = re.compile(r"(?<=[A-Za-z])(?=\d)")
"""Where CLDR sets a space between a currency's code and the number."""


@dataclass(frozen=True, slots=True)
class Translator:
    """Speaks one language. ``catalog`` is what Jinja's ``install_gettext_translations(…, newstyle=True)`` takes."""

    language: Language
    catalog: gettext.NullTranslations
    locale: Locale

    @property
    def html_language(self) -> str:
        """The language as HTML and mail headers name it: ``en``, ``pt-BR``."""
        return language_tag(self.language)

    def gettext(self, message: str, /, **values: object) -> str:
        """Translate a message and fill in its placeholders."""
        return self.catalog.gettext(message) % values

    def ngettext(self, singular: str, plural: str, n: int, /, **values: object) -> str:
        """Translate the form for ``n`` things; ``%(num)s`` stands for ``n``, as in Jinja."""
        return self.catalog.ngettext(singular, plural, n) % {"num": n, **values}

    def date(self, instant: datetime, time_zone: str) -> str:
        """Write the day of an instant in an IANA time zone: ``Saturday, December 5, 2026``."""
        return format_date(instant.astimezone(ZoneInfo(time_zone)).date(), format="full", locale=self.locale)

    def short_date(self, instant: datetime, time_zone: str) -> str:
        """Write the day without its weekday's name in full: ``Dec 5, 2026``."""
        return format_date(instant.astimezone(ZoneInfo(time_zone)).date(), format="medium", locale=self.locale)

    def time(self, instant: datetime, time_zone: str) -> str:
        """Write the hour and minute of an instant in an IANA time zone: ``8:00 PM``, ``20:00``."""
        return format_time(instant, format="short", tzinfo=ZoneInfo(time_zone), locale=self.locale)

    def time_zone(self, instant: datetime, time_zone: str) -> str:
        """Name an IANA time zone as it is at an instant, summer time and all: ``Brasilia Standard Time``."""
        return get_timezone_name(instant.astimezone(ZoneInfo(time_zone)), locale=self.locale)

    def percent(self, millionths: int) -> str:
        """Write a rate of millionths: ``8.875%``, ``8,875%``."""
        return format_percent(Decimal(millionths).scaleb(-6), format="#,##0.####%", locale=self.locale)

    def money(self, amount_minor: int, currency: str) -> str:
        """Write an amount of minor units with the decimals that ISO 4217 gives the currency: ``R$ 45,00``, ``¥1,200``.

        Raises ``KeyError`` for a code that is no currency.
        """
        exponent = currency_exponent(currency)
        pattern = _money_pattern(self.language, exponent)
        amount = Decimal(amount_minor).scaleb(-exponent)
        written = pattern.apply(amount, self.locale, currency=currency, currency_digits=False)
        return _LETTER_BEFORE_DIGIT.sub("\N{NO-BREAK SPACE}", written)


@cache
def translator(language: str) -> Translator:
    """Return the translator of a language, or that of the default language for one that there is not."""
    known = language_or_default(language)
    return Translator(known, _read_catalog(known), Locale.parse(known))


def language_or_default(language: str) -> Language:
    """Return the language if there is one of this name (``pt-BR`` and ``pt_br`` are ``pt_BR``), else the default."""
    return _BY_PRIMARY_TAG.get(language.replace("_", "-").partition("-")[0].strip().lower(), DEFAULT_LANGUAGE)


def language_tag(language: str) -> str:
    """Return the tag (BCP 47) by which the rest of the world knows a language: ``pt-BR`` for ``pt_BR``."""
    return language.replace("_", "-")


def negotiate(accept_language: str | None) -> Language:
    """Choose a language by the header ``Accept-Language`` (RFC 9110): the best weight, then the first named.

    Any Portuguese is answered in Brazilian Portuguese. What cannot be read is passed over.
    """
    best: Language = DEFAULT_LANGUAGE
    best_weight = 0.0
    for item in (accept_language or "").split(",")[:_RANGES_MAX]:
        tag, _, parameter = item.partition(";")
        language = _BY_PRIMARY_TAG.get(tag.strip().partition("-")[0].lower())
        weight = _weight(parameter)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0 <= weight <= 1 else 0.0


@cache
def _money_pattern(language: Language, decimals: int) -> NumberPattern:
    # CLDR would write some currencies with fewer decimals than their minor unit has.
    pattern = copy(cast("NumberPattern", Locale.parse(language).currency_formats["standard"]))
    pattern.frac_prec = (decimals, decimals)
    return pattern


def _read_catalog(language: Language) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    text = files("fullhouse").joinpath("locale", language, "LC_MESSAGES", "messages.po").read_bytes()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(text), locale=language))
    compiled.seek(0)
    return Translations(compiled)
