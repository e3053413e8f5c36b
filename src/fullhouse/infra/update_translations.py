"""Brings the translations up to date with the code: ``python -m fullhouse.infra.update_translations``.

Adds messages that are new, untranslated, drops those that are gone, and prints what is still to be translated.
"""

import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import PoFileParser, generate_po

from fullhouse.infra.languages import LANGUAGES, Language

_WIDTH = 120
_TEMPLATES = {"encoding": "utf-8", "newstyle_gettext": "true", "trimmed": "true"}
_METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.txt", "jinja2")]
_OPTIONS = {"**.html": _TEMPLATES, "**.txt": _TEMPLATES}
_HEADER = """\
# "make translations" adds what is new and drops what is gone.
msgid ""
msgstr ""
"Project-Id-Version: Fullhouse\\n"
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def extract_messages(package: Path) -> Catalog:
    """Read every message that the code and the templates of a package speak."""
    catalog = Catalog()
    for file, line, message, _, context in extract_from_dir(package, _METHODS, _OPTIONS):
        catalog.add(message, locations=[(str(file), line)], context=context)
    return catalog


def read_translations(package: Path, language: Language) -> Catalog:
    """Read the translations into one language."""
    catalog = Catalog(locale=language)
    with _path(package, language).open(encoding="utf-8") as file:
        PoFileParser(catalog).parse(file)
    return catalog


def update_translations(package: Path, language: Language) -> list[str]:
    """Write the translations anew and return the messages that have none, by file."""
    known = read_translations(package, language)
    updated = Catalog(locale=language, fuzzy=False)
    missing: list[str] = []
    for message in extract_messages(package):
        if not message.id:
            continue
        found = known.get(message.id, message.context)
        updated.add(message.id, found.string if found else None, context=message.context)
        if found is None or not is_translated(found):
            missing.append(_shown(message))
    header = _HEADER.format(language=language, plurals=updated.plural_forms)
    lines = generate_po(updated, width=_WIDTH, sort_by="message", omit_header=True, no_location=True)
    _path(package, language).write_text(header + "".join(lines), encoding="utf-8")
    return missing


def is_translated(message: Message) -> bool:
    """Say whether every form of a message has its translation."""
    forms = [message.string] if isinstance(message.string, str) else message.string or [""]
    return all(forms) and not message.fuzzy


def main() -> int:
    """Update all languages but that of the messages. Returns 1 where something is to be translated."""
    package = Path(__file__).parents[1]
    missing = [
        f"{language}: {one}"
        for language in LANGUAGES
        if language != "en"
        for one in update_translations(package, language)
    ]
    sys.stdout.writelines(f"{line}\n" for line in missing)
    return 1 if missing else 0


def _path(package: Path, language: Language) -> Path:
    return package / "locale" / language / "LC_MESSAGES" / "messages.po"


def _shown(message: Message) -> str:
    file = message.locations[0][0] if message.locations else ""
    return f"{file}: {message.id!r}"


if __name__ == "__main__":
    sys.exit(main())
