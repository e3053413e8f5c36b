"""PDFs that differ in a few texts and pictures: set once as a pattern, and filled in for each.

A pattern is a PDF of the compiler in which marks stand for the texts to come, and one module for each QR picture.
Filling it in writes other text into the same place, in the same fonts and with the same kerning, and leaves the rest,
tags and all, as it was set; what the compiler would have to shape, break or shrink is not filled in.
"""

import re
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from fullhouse.tickets.pdf_fonts import Font, NoPattern, field, fonts_of, inflated, objects_of, reference

PATTERN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""When patterns are said to have been made; what is filled in says its own time."""

QR_MARK = "M0 0h1v1h-1z"
"""The path of the picture in a pattern."""

_QR_DRAWN = b"0 0 m 1 0 l 1 1 l 0 1 l\nh\nf\n"
_RUN = re.compile(
    rb"(q 1 0 0 -1 )([\d.-]+)( ([\d.-]+) cm/c\d+ cs [\d. ]+ scn\nBT 0 Tr/(f\d+) ([\d.]+) Tf 1 0 0 -1 0 0 Tm\[)"
    rb"([^\n]*)\]TJ\nET\n",
    re.DOTALL,
)
_HIDDEN = re.compile(rb"/Artifact<<[^\n]*/Type/Pagination>>BDC\n.*?\nEMC", re.DOTALL)


class Slot(NamedTuple):
    """A text that is to be filled in, by its mark."""

    mark: str
    width_max: float
    """In points; a longer text does not fit."""
    tracking: int = 0
    """What is added to each character, in thousandths of the size."""
    centred: bool = False
    """Whether its line, with all that stands on it, is kept in the middle."""


class _Place(NamedTuple):
    slot: int
    font: Font
    size: float
    width: float
    """Of the mark."""


class _Shift(NamedTuple):
    slot: int
    x: float
    direction: float


_QR = object()
_Piece = bytes | _Place | _Shift | object


@dataclass(frozen=True, slots=True)
class Filling:
    """What one page gets: a text for each slot, and the operators that draw the modules of its picture."""

    texts: Sequence[str]
    modules: bytes


class Pattern:
    """A PDF with its slots. Filling it in costs a fraction of setting it."""

    def __init__(self, pdf: bytes, slots: Sequence[Sequence[Slot]]) -> None:
        """Take a PDF apart, with the slots of each of its pages. Raises ``NoPattern``."""
        self._slots = slots
        objects = dict(objects_of(pdf))
        trailer = pdf[pdf.rindex(b"trailer\n") :]
        root = objects[reference(trailer, b"Root")]
        info, metadata = reference(trailer, b"Info"), reference(root, b"Metadata")
        kids = field(objects[reference(root, b"Pages")], rb"/Kids\[([^\]]*)\]").split(b" 0 R")
        pages = [objects[int(kid)] for kid in kids if kid.strip()]
        if len(pages) != len(slots):
            raise NoPattern("pages are missing")
        self._contents = [reference(page, b"Contents") for page in pages]
        self._pages = [
            list(_pieces(inflated(objects[content]), fonts_of(objects, page), of_page))
            for content, page, of_page in zip(self._contents, pages, slots, strict=True)
        ]
        self._info, self._metadata = (info, objects[info]), (metadata, objects[metadata])
        self._ids = re.findall(rb"\(([^()]*)\)", field(trailer, rb"/ID\[([^\]]*)\]"))
        self._trailer = trailer[: trailer.index(b"startxref")]
        changed = {info, metadata, *self._contents}
        written = [b"%PDF-1.7\n%\x80\x80\x80\x80\n\n"]
        self._entries = [b"0000000000 65535 f \n"] * (max(objects) + 1)
        at = len(written[0])
        for number, body in objects.items():
            if number not in changed:
                at += self._append(written, at, number, body, self._entries)
        self._constant = b"".join(written)

    def fill(self, pages: Sequence[Filling], at: datetime) -> bytes | None:
        """Return the PDF of an instant with a filling in each page; None where a text does not fit its slot."""
        contents: list[bytes] = []
        for pieces, slots, filling in zip(self._pages, self._slots, pages, strict=True):
            content = _filled(pieces, slots, filling)
            if content is None:
                return None
            contents.append(zlib.compress(content, 1))
        entries, offset, written = self._entries.copy(), len(self._constant), [self._constant]
        for number, content in zip(self._contents, contents, strict=True):
            body = b"<</Length %d/Filter/FlateDecode>>\nstream\n%b\nendstream" % (len(content), content)
            offset += self._append(written, offset, number, body, entries)
        told = self._told(contents, at)
        for number, body in (self._info, self._metadata):
            offset += self._append(written, offset, number, _replaced(body, told), entries)
        written += [b"xref\n0 %d\n" % len(entries), *entries, _replaced(self._trailer, told)]
        written.append(b"startxref\n%d\n%%%%EOF" % offset)
        return b"".join(written)

    def _told(self, contents: Sequence[bytes], at: datetime) -> dict[bytes, bytes]:
        """Name the time and the ids of what was filled in, by those of the pattern."""
        utc = at.astimezone(UTC)
        told = {
            f"Date({_pdf_date(PATTERN_TIME)})".encode(): f"Date({_pdf_date(utc)})".encode(),
            f"Date>{_xmp_date(PATTERN_TIME)}<".encode(): f"Date>{_xmp_date(utc)}<".encode(),
        }
        for one in self._ids:
            digest = blake2b(one + utc.isoformat().encode(), digest_size=16)
            for content in contents:
                digest.update(content)
            told[one] = b64encode(digest.digest())
        return told

    @staticmethod
    def _append(written: list[bytes], at: int, number: int, body: bytes, entries: list[bytes]) -> int:
        entries[number] = b"%010d 00000 n \n" % at
        written.append(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        return len(written[-1])


def _filled(pieces: Sequence[_Piece], slots: Sequence[Slot], filling: Filling) -> bytes | None:
    written: list[bytes] = []
    texts: dict[int, tuple[bytes, float]] = {}
    for piece in pieces:
        if isinstance(piece, _Place):
            slot, text = slots[piece.slot], filling.texts[piece.slot]
            made = piece.font.write(text, slot.tracking)
            width = made[1] * piece.size / 1000 if made else 0
            if made is None or width > slot.width_max:
                return None
            texts[piece.slot] = made[0], width - piece.width
    for piece in pieces:
        if isinstance(piece, _Place):
            written.append(texts[piece.slot][0])
        elif isinstance(piece, _Shift):
            written.append(b"%.6f" % (piece.x + piece.direction * texts[piece.slot][1]))
        else:
            written.append(piece if isinstance(piece, bytes) else filling.modules)
    return b"".join(written)


def _pieces(content: bytes, fonts: Mapping[bytes, Font], slots: Sequence[Slot]) -> Iterator[_Piece]:
    """Take the operators of a page apart at what is to be filled in. Raises ``NoPattern``."""
    content = _HIDDEN.sub(b"", content)
    runs = [(run, fonts[run[5]].read(run[7])) for run in _RUN.finditer(content)]
    marks = {slot.mark: number for number, slot in enumerate(slots)}
    found = [marks[text] for _, text in runs if text in marks]
    if sorted(found) != list(range(len(slots))) or content.count(_QR_DRAWN) != 1:
        raise NoPattern("a mark is missing, or stands there twice")
    centred = {run[4]: marks[text] for run, text in runs if text in marks and slots[marks[text]].centred}
    cuts: list[tuple[int, int, _Piece]] = [(place := content.index(_QR_DRAWN), place + len(_QR_DRAWN), _QR)]
    for run, text in runs:
        if run[4] in centred:
            cuts.append((*run.span(2), _Shift(centred[run[4]], float(run[2]), -0.5 if text in marks else 0.5)))
        if text in marks:
            font, size = fonts[run[5]], float(run[6])
            width = _width(font, text, slots[marks[text]].tracking) * size / 1000
            cuts.append((*run.span(7), _Place(marks[text], font, size, width)))
    at = 0
    for start, end, piece in sorted(cuts, key=lambda cut: cut[0]):
        yield content[at:start]
        yield piece
        at = end
    yield content[at:]


def _width(font: Font, text: str, tracking: int) -> int:
    made = font.write(text, tracking)
    if made is None:
        raise NoPattern("a mark has glyphs of several fonts")
    return made[1]


def _replaced(body: bytes, told: Mapping[bytes, bytes]) -> bytes:
    for old, new in told.items():
        body = body.replace(old, new)
    return body


def _pdf_date(at: datetime) -> str:
    return at.strftime("D:%Y%m%d%H%M%SZ")


def _xmp_date(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
