"""The pages of a pattern: their operators, taken apart at what is to be filled in, and put together again. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fullhouse.tickets.printed.pdf_fonts import Font, NoPattern

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
Piece = bytes | _Place | _Shift | object


@dataclass(frozen=True, slots=True)
class Filling:
    """What one page gets: a text for each slot, and the operators that draw the modules of its picture."""

    texts: Sequence[str]
    modules: bytes


def filled_page(pieces: Sequence[Piece], slots: Sequence[Slot], filling: Filling) -> bytes | None:
    """Write the operators of a page; None where a text does not fit its slot."""
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


def pieces_of(content: bytes, fonts: Mapping[bytes, Font], slots: Sequence[Slot]) -> Iterator[Piece]:
    """Take the operators of a page apart at what is to be filled in. Raises ``NoPattern``."""
    content = _HIDDEN.sub(b"", content)
    runs = [(run, fonts[run[5]].read(run[7])) for run in _RUN.finditer(content)]
    marks = {slot.mark: number for number, slot in enumerate(slots)}
    found = [marks[text] for _, text in runs if text in marks]
    if sorted(found) != list(range(len(slots))) or content.count(_QR_DRAWN) != 1:
        raise NoPattern("a mark is missing, or stands there twice")
    centred = {run[4]: marks[text] for run, text in runs if text in marks and slots[marks[text]].centred}
    cuts: list[tuple[int, int, Piece]] = [(place := content.index(_QR_DRAWN), place + len(_QR_DRAWN), _QR)]
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
