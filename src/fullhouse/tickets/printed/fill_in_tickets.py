"""What of a ticket is filled into a pattern that all tickets of a session share: names, seats, references. Pure."""

import re
from dataclasses import dataclass, replace

from fullhouse.tickets.printed.kerning import LIGATURES
from fullhouse.tickets.printed.pdf_page import Slot
from fullhouse.tickets.rules import Document, TicketFace

PAGES_MAX = 20
"""More pages are set for themselves: so many orders are rare, and each number of pages has a pattern of its own."""

_MARK = "§"
DIGITS = f"0123456789ABCDEF-{_MARK}"
"""What references are made of."""

_POINTS = 72 / 25.4
_WHOLE_WIDTH = 87 * _POINTS - 0.01
_HALF_WIDTH = 41 * _POINTS - 0.01
_TRACKING = 50
_ONE_SPACED = re.compile(r"\S+( \S+)*")


def _span(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


_COMMON = _span((0x20, 0x40), (0x5B, 0x5F), (0x7B, 0x7D)) + "·–—‘’“”…" + _MARK
_LATIN = _span((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xFF)) + "ªº"
_MORE_LATIN = _span((0x100, 0x131), (0x139, 0x148), (0x14A, 0x17E), (0x1EA0, 0x1EF9)) + "ĂăƠơƯưȘșȚț"
_GREEK = _span((0x386, 0x386), (0x388, 0x38A), (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x3CE))
_CYRILLIC = _span((0x400, 0x45F), (0x490, 0x491))
_ALPHABETS = tuple(_COMMON + letters for letters in (_LATIN, _LATIN + _MORE_LATIN, _GREEK, _CYRILLIC))
"""What is set glyph by glyph, with kerning and nothing else. A text that needs two of them is left to the compiler."""

_KNOWN = tuple(frozenset(alphabet) for alphabet in _ALPHABETS)


@dataclass(frozen=True, slots=True)
class Common:
    """What tickets have in common."""

    document: Document
    """With marks where the tickets differ."""
    slots: tuple[tuple[Slot, ...], ...]
    """What is marked on each page."""
    alphabet: str
    """All characters that names and seats may need, and what is drawn as one of them."""


def in_common(document: Document) -> Common | None:
    """Return what a document has in common with others; None where it has to be set for itself."""
    faces = document.tickets
    needed = {_alphabet_of(text) for face in faces for text in texts_of(face)}
    if None in needed or len(faces) > PAGES_MAX:
        return None
    marked = [_marked(face, page) for page, face in enumerate(faces)]
    return Common(
        document=replace(document, tickets=tuple(face for face, _ in marked)),
        slots=tuple(slots for _, slots in marked),
        alphabet=" ".join([*(alphabet for number, alphabet in enumerate(_ALPHABETS) if number in needed), *LIGATURES]),
    )


def texts_of(face: TicketFace) -> tuple[str, ...]:
    """Return the texts of a ticket in the order of its slots."""
    seat = face.place[-1][1] if len(face.place) > 1 else ""
    return tuple(text for text in (face.reference, face.holder, seat) if text)


def _marked(face: TicketFace, page: int) -> tuple[TicketFace, tuple[Slot, ...]]:
    """Put marks in place of the texts, and say what fits there on one line of the largest size."""
    reference, holder, seat = f"{_MARK}{page:03}-0000-0000", f"{_MARK}{page}.1", f"{_MARK}{page}.2"
    slots = [Slot(reference, _WHOLE_WIDTH, _TRACKING, centred=True)]
    marked = replace(face, reference=reference, code="")
    if face.holder:
        slots.append(Slot(holder, _WHOLE_WIDTH))
        marked = replace(marked, holder=holder)
    if len(face.place) > 1 and face.place[-1][1]:
        slots.append(Slot(seat, _HALF_WIDTH))
        marked = replace(marked, place=(*face.place[:-1], (face.place[-1][0], seat)))
    return marked, tuple(slots)


def _alphabet_of(text: str) -> int | None:
    """Return the first alphabet that has all characters of a text; None where none has, or its spaces are unusual."""
    if _ONE_SPACED.fullmatch(text) is None:
        return None
    characters = frozenset(text)
    return next((number for number, known in enumerate(_KNOWN) if characters <= known), None)
