"""Reading a PDF as our compiler writes it: its objects, and the fonts in it, in which more can be written. Pure."""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property

from fullhouse.tickets.printed.kerning import LIGATURES, Kerning, kerning_of

_TOKEN = re.compile(rb"\\([0-7]{3}|.)|(.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_UNITS = re.compile("|".join([*LIGATURES, "."]), re.DOTALL)


class NoPattern(Exception):
    """The compiler wrote something that is not understood here, or a mark is not where it should be."""


class Font:
    """A font of the pattern: which of its glyphs there are, and how they are written."""

    def __init__(self, name: str, characters: Mapping[str, int], widths: Mapping[int, int]) -> None:
        self._glyphs = {text: (f"{glyph:04X}".encode(), widths[glyph]) for text, glyph in characters.items()}
        self._characters = {glyph: text for text, glyph in characters.items()}
        self._name = name

    @cached_property
    def _kerning(self) -> Kerning:
        return kerning_of(self._name)

    def write(self, text: str, tracking: int) -> tuple[bytes, int] | None:
        """Write a text as the operand of ``TJ``, with its width; None where a glyph is missing."""
        units = _UNITS.findall(text)
        written, width = [b"<"], 0
        for place, unit in enumerate(units):
            glyph = self._glyphs.get(unit)
            if glyph is None:
                return None
            written.append(glyph[0])
            width += glyph[1] + tracking
            if place + 1 < len(units) and (more := self._kerning.between(unit, units[place + 1]) + tracking):
                written.append(b">%d<" % -more)
                width += more - tracking
        written.append(b">")
        return b"".join(written), width

    def read(self, operand: bytes) -> str:
        """Read the text that an operand of ``TJ`` draws."""
        shown = b"".join(_strings(operand))
        return "".join(self._characters.get(glyph, "\ufffd") for (glyph,) in struct.iter_unpack(">H", shown))


def _strings(operand: bytes) -> Iterator[bytes]:
    """Go through what the strings of an array hold: in digits, or as it is, with escapes and balanced brackets."""
    depth = at = 0
    while at < len(operand):
        if not depth and operand[at] == ord("<"):
            end = operand.index(b">", at)
            yield bytes.fromhex(operand[at + 1 : end].decode())
            at = end
        found = _TOKEN.match(operand, at)
        assert found is not None  # noqa: S101 (it matches any byte)
        escaped, plain = found.groups()
        closes = plain == b")"
        depth -= closes
        if depth and escaped:
            yield bytes([int(escaped, 8)]) if escaped[:1].isdigit() else _ESCAPED.get(escaped, escaped)
        elif depth:
            yield plain
        depth += plain == b"("
        at = found.end()


def fonts_of(objects: Mapping[int, bytes], page: bytes) -> dict[bytes, Font]:
    """Read the fonts of a page by the names that its operators use."""
    resources = objects[reference(page, b"Resources")]
    named = re.findall(rb"/(f\d+) (\d+) 0 R", field(resources, rb"/Font<<([^>]*)>>"))
    return {name: _font(objects, objects[int(number)]) for name, number in named}


def _font(objects: Mapping[int, bytes], font: bytes) -> Font:
    mapping = inflated(objects[reference(font, b"ToUnicode")])
    characters: dict[str, int] = {}
    for block in re.findall(rb"beginbfchar\n(.*?)endbfchar", mapping, re.DOTALL):
        for glyph, text in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>", block):
            characters.setdefault(bytes.fromhex(text.decode()).decode("utf-16-be"), int(glyph, 16))
    descendant = objects[int(field(font, rb"/DescendantFonts\[(\d+) 0 R\]"))]
    numbers = [int(float(number)) for number in field(descendant, rb"/W\[([\d. -]*)\]").split()]
    widths = {
        glyph: width
        for first, last, width in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        for glyph in range(first, last + 1)
    }
    name = field(font, rb"/BaseFont/[A-Z]{6}\+([\w-]+)").decode()
    return Font(name, characters, widths)


def objects_of(pdf: bytes) -> Iterator[tuple[int, bytes]]:
    """Go through the objects of a PDF with a plain table of them. Raises ``NoPattern``."""
    start = int(field(pdf[-64:], rb"startxref\s+(\d+)"))
    if pdf[start : start + 7] != b"xref\n0 ":
        raise NoPattern("there is no plain table of objects")
    offsets = [int(entry) for entry in re.findall(rb"(\d{10}) 00000 n", pdf[start:])]
    ends = sorted([*offsets, start])[1:]
    for offset, end in zip(sorted(offsets), ends, strict=True):
        head, _, rest = pdf[offset:end].partition(b" 0 obj\n")
        yield int(head), rest[: rest.rindex(b"\nendobj")]


def inflated(body: bytes) -> bytes:
    """Return what the stream of an object holds."""
    head, data = body[: body.index(b"\nstream\n")], body[body.index(b"\nstream\n") + 8 : body.rindex(b"\nendstream")]
    return zlib.decompress(data) if b"/FlateDecode" in head else data


def reference(body: bytes, name: bytes) -> int:
    """Return the number of the object to which an entry leads. Raises ``NoPattern``."""
    return int(field(body, rb"/" + name + rb" (\d+) 0 R"))


def field(body: bytes, expression: bytes) -> bytes:
    """Return what an expression finds in its first group. Raises ``NoPattern``."""
    found = re.search(expression, body)
    if found is None:
        raise NoPattern("a field is missing")
    return found[1]
