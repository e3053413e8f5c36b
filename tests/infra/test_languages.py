"""Languages: every message is translated, and dates and money are written as each language writes them."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from fullhouse.core.money import CURRENCIES
from fullhouse.infra.languages import LANGUAGES, language_or_default, negotiate, translator
from fullhouse.infra.update_translations import (
    extract_messages,
    is_translated,
    read_translations,
    update_translations,
)

PACKAGE = Path(__file__).parents[2] / "src" / "fullhouse"
NIGHT = datetime(2026, 12, 5, 23, 0, tzinfo=UTC)
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def _forms(text: object) -> list[str]:
    return [text] if isinstance(text, str) else [str(form) for form in cast("Iterable[object]", text)]


def test_every_message_is_translated_with_its_placeholders() -> None:
    known = read_translations(PACKAGE, "pt_BR")
    messages = [message for message in extract_messages(PACKAGE) if message.id]
    assert len(messages) > 20
    faults: list[str] = []
    for message in messages:
        found = known.get(message.id, message.context)
        where = f"{message.locations[0]}: {message.id!r}"
        if found is None or not is_translated(found):
            faults.append(f"no translation: {where}")
            continue
        wanted = {name for form in _forms(message.id) for name in _PLACEHOLDER.findall(form)}
        for form in _forms(found.string):
            extra = set(_PLACEHOLDER.findall(form)) - wanted
            missing = wanted - set(_PLACEHOLDER.findall(form)) - {"num"}
            if extra or missing:
                faults.append(f"placeholders differ: {where}: {form!r}")
    assert faults == []


def test_updating_adds_what_is_new_and_drops_what_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "locale" / "pt_BR" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    old = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    old += 'msgid "Kept %(x)s"\nmsgstr "Mantida %(x)s"\n\nmsgid "Gone"\nmsgstr "Removida"\n'
    (folder / "messages.po").write_text(old, encoding="utf-8")
    (tmp_path / "code.py").write_text('speak.gettext("Kept %(x)s", x=1)\nspeak.ngettext("a new", "%(num)s new", 2)\n')
    (tmp_path / "page.html").write_text("<p>{{ gettext('Of a page') }}{% trans %} Trimmed {% endtrans %}</p>")
    assert update_translations(tmp_path, "pt_BR") == [
        "code.py: ('a new', '%(num)s new')",
        "page.html: 'Of a page'",
        "page.html: 'Trimmed'",
    ]
    updated = read_translations(tmp_path, "pt_BR")
    assert {message.id: message.string for message in updated if message.id} == {
        "Kept %(x)s": "Mantida %(x)s",
        ("a new", "%(num)s new"): ("", ""),
        "Of a page": "",
        "Trimmed": "",
    }
    before = (folder / "messages.po").read_text(encoding="utf-8")
    update_translations(tmp_path, "pt_BR")
    assert (folder / "messages.po").read_text(encoding="utf-8") == before


def test_no_translation_is_left_over() -> None:
    used = extract_messages(PACKAGE)
    translations = read_translations(PACKAGE, "pt_BR")
    assert [message.id for message in translations if message.id and message.id not in used] == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt_BR"),
        ("pt-PT", "pt_BR"),
        ("PT", "pt_BR"),
        ("en-GB", "en"),
        ("de,fr;q=0.9", "en"),
        ("de;q=1, pt;q=0.3, en;q=0.2", "pt_BR"),
        ("en;q=0.2, pt;q=0.3", "pt_BR"),
        ("pt;q=0", "en"),
        ("pt;q=nan", "en"),
        ("pt;q=7, en;q=0.1", "en"),
        ("*", "en"),
        (";;;,,,q=1;pt", "en"),
        ("ptx", "en"),
        (",".join(["de"] * 20 + ["pt"]), "en"),
    ],
)
def test_negotiate(header: str | None, language: str) -> None:
    assert negotiate(header) == language


@given(st.text(max_size=200))
def test_negotiate_reads_anything(header: str) -> None:
    assert negotiate(header) in LANGUAGES
    assert language_or_default(header) in LANGUAGES


def test_a_language_is_known_by_its_tags() -> None:
    names = ["pt_BR", "pt-BR", "pt", "PT_br", "en", "en-US", "xx", ""]
    assert [language_or_default(name) for name in names] == ["pt_BR"] * 4 + ["en"] * 4
    assert translator("pt-BR").html_language == "pt-BR"
    assert translator("xx").html_language == "en"


def test_dates_are_those_of_the_sessions_time_zone() -> None:
    english, portuguese = translator("en"), translator("pt_BR")
    assert english.date(NIGHT, "America/Sao_Paulo") == "Saturday, December 5, 2026"
    assert english.date(NIGHT, "Asia/Tokyo") == "Sunday, December 6, 2026"
    assert portuguese.date(NIGHT, "America/Sao_Paulo") == "sábado, 5 de dezembro de 2026"
    assert portuguese.short_date(NIGHT, "America/Sao_Paulo") == "5 de dez. de 2026"
    assert plain(english.time(NIGHT, "America/Sao_Paulo")) == "8:00 PM"
    assert portuguese.time(NIGHT, "America/Sao_Paulo") == "20:00"
    assert portuguese.time(NIGHT, "Europe/Athens") == "01:00"
    assert english.time_zone(NIGHT, "America/Sao_Paulo") == "Brasilia Standard Time"
    assert portuguese.time_zone(NIGHT, "America/Sao_Paulo") == "Horário Padrão de Brasília"


def test_the_hour_follows_summer_time() -> None:
    portuguese = translator("pt_BR")
    assert portuguese.time(datetime(2026, 3, 28, 19, 0, tzinfo=UTC), "Europe/Lisbon") == "19:00"
    assert portuguese.time(datetime(2026, 3, 29, 19, 0, tzinfo=UTC), "Europe/Lisbon") == "20:00"


@pytest.mark.parametrize(
    ("amount_minor", "currency", "english", "portuguese"),
    [
        (123456, "BRL", "R$1,234.56", "R$ 1.234,56"),
        (4500, "EUR", "€45.00", "€ 45,00"),
        (1200, "JPY", "¥1,200", "JP¥ 1.200"),
        (1250, "KWD", "KWD 1.250", "KWD 1,250"),
        (1250, "IQD", "IQD 1.250", "IQD 1,250"),
        (12345, "UGX", "UGX 12,345", "UGX 12.345"),
        (-500, "USD", "-$5.00", "-US$ 5,00"),
        (0, "BRL", "R$0.00", "R$ 0,00"),
    ],
)
def test_money_has_the_decimals_of_its_currency(
    amount_minor: int, currency: str, english: str, portuguese: str
) -> None:
    assert plain(translator("en").money(amount_minor, currency)) == english
    assert plain(translator("pt_BR").money(amount_minor, currency)) == portuguese


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(CURRENCIES)))
def test_money_is_exact(amount_minor: int, currency: str) -> None:
    for language in LANGUAGES:
        digits = re.sub(r"\D", "", translator(language).money(amount_minor, currency))
        assert int(digits) == abs(amount_minor)


def test_a_message_without_translation_stays_english_and_percent_signs_are_doubled() -> None:
    for language in LANGUAGES:
        speak = translator(language)
        assert speak.gettext("Not in any catalog: %(name)s, 100%%", name="Ana") == "Not in any catalog: Ana, 100%"
        assert speak.ngettext("one %(what)s", "%(num)s %(what)s", 3, what="xyz") == "3 xyz"


def test_jinja_takes_the_catalog() -> None:
    environment = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    environment.install_gettext_translations(translator("pt_BR").catalog, newstyle=True)  # pyright: ignore[reportAttributeAccessIssue]
    template = environment.from_string("{{ gettext('Your tickets for %(event)s', event=event) }}")
    assert template.render(event="<b>") == "Seus ingressos para &lt;b&gt;"
