"""Kerning: how much closer than their widths two characters of one of our fonts stand. Pure but for reading the font.

Read from the font's own tables (OpenType ``cmap`` format 4 and ``GPOS`` pair adjustment, both of its formats), which
is what a shaper does with scripts that need nothing else.
"""

import struct
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

LIGATURES = {"ffi": "\ufb03", "ffl": "\ufb04", "ff": "\ufb00", "fi": "\ufb01", "fl": "\ufb02"}
"""What our fonts draw as one glyph, and the character that names it."""

_PAIR_ADJUSTMENT = 2
_X_ADVANCE = 0x0004


class Kerning:
    """The pairs of one font, in units of the font."""

    def __init__(self, font: bytes) -> None:
        """Find the tables; a pair is looked up when it is first asked for."""
        self._font = font
        count = self._short(4)
        tables = {tag: start for tag, _, start, _ in struct.iter_unpack(">4sIII", font[12 : 12 + 16 * count])}
        self._glyphs = dict(self._characters(tables[b"cmap"]))
        self._subtables = list(self._pair_subtables(tables[b"GPOS"]))
        self._known: dict[tuple[str, str], int] = {}

    def between(self, first: str, second: str) -> int:
        """Return what is added to the width of the first of two neighbours; a ligature is one of them."""
        known = self._known.get((first, second))
        if known is None:
            known = self._known[first, second] = self._find(self._glyph(first), self._glyph(second))
        return known

    def _glyph(self, unit: str) -> int:
        return self._glyphs.get(ord(LIGATURES.get(unit, unit)), 0)

    def _find(self, first: int, second: int) -> int:
        for start in self._subtables:
            place = self._coverage(start + self._short(start + 2), first)
            if place is not None:
                found = self._in_pairs(start, place, second) if self._short(start) == 1 else None
                found = self._in_classes(start, first, second) if self._short(start) == 2 else found
                if found is not None:
                    return found
        return 0

    def _in_pairs(self, start: int, place: int, second: int) -> int | None:
        pairs = start + self._short(start + 10 + 2 * place)
        size = 2 + 2 * self._values(start)
        for at in range(pairs + 2, pairs + 2 + size * self._short(pairs), size):
            if self._short(at) == second:
                return self._advance(start, at + 2)
        return None

    def _in_classes(self, start: int, first: int, second: int) -> int:
        one = self._class(start + self._short(start + 8), first)
        two = self._class(start + self._short(start + 10), second)
        size = 2 * self._values(start)
        return self._advance(start, start + 16 + size * (one * self._short(start + 14) + two))

    def _values(self, start: int) -> int:
        """Count the numbers that a pair has: a bit for each in two masks."""
        return self._short(start + 4).bit_count() + self._short(start + 6).bit_count()

    def _advance(self, start: int, at: int) -> int:
        mask = self._short(start + 4)
        if not mask & _X_ADVANCE:
            return 0
        found: int = struct.unpack_from(">h", self._font, at + 2 * (mask & (_X_ADVANCE - 1)).bit_count())[0]
        return found

    def _coverage(self, start: int, glyph: int) -> int | None:
        count = self._short(start + 2)
        if self._short(start) == 1:
            covered = struct.unpack_from(f">{count}H", self._font, start + 4)
            return covered.index(glyph) if glyph in covered else None
        for first, last, place in self._ranges(start + 4, count):
            if first <= glyph <= last:
                return place + glyph - first
        return None

    def _class(self, start: int, glyph: int) -> int:
        if self._short(start) == 1:
            first, count = self._short(start + 2), self._short(start + 4)
            return self._short(start + 6 + 2 * (glyph - first)) if first <= glyph < first + count else 0
        ranges = self._ranges(start + 4, self._short(start + 2))
        return next((number for first, last, number in ranges if first <= glyph <= last), 0)

    def _ranges(self, start: int, count: int) -> Iterator[tuple[int, int, int]]:
        return struct.iter_unpack(">HHH", self._font[start : start + 6 * count])

    def _pair_subtables(self, start: int) -> Iterator[int]:
        """Go through the subtables of the lookups that the feature ``kern`` names."""
        features, lookups = start + self._short(start + 6), start + self._short(start + 8)
        records = struct.iter_unpack(">4sH", self._font[features + 2 : features + 2 + 6 * self._short(features)])
        feature = next(features + offset for tag, offset in records if tag == b"kern")
        for number in range(self._short(feature + 2)):
            index = self._short(feature + 4 + 2 * number)
            lookup = lookups + self._short(lookups + 2 + 2 * index)
            if self._short(lookup) == _PAIR_ADJUSTMENT:
                for subtable in range(self._short(lookup + 4)):
                    yield lookup + self._short(lookup + 6 + 2 * subtable)

    def _characters(self, start: int) -> Iterator[tuple[int, int]]:
        """Go through the characters of the basic plane with their glyphs."""
        offsets = struct.iter_unpack(">HHI", self._font[start + 4 : start + 4 + 8 * self._short(start + 2)])
        table = next(start + offset for _, _, offset in offsets if self._short(start + offset) == 4)
        size = self._short(table + 6)
        for at in range(0, size, 2):
            last, first = self._short(table + 14 + at), self._short(table + 16 + size + at)
            shift, jump = self._short(table + 16 + 2 * size + at), self._short(table + 16 + 3 * size + at)
            for character in range(first, min(last, 0xFFFE) + 1):
                if jump:
                    glyph = self._short(table + 16 + 3 * size + at + jump + 2 * (character - first))
                    yield character, (glyph + shift) & 0xFFFF if glyph else 0
                else:
                    yield character, (character + shift) & 0xFFFF

    def _short(self, at: int) -> int:
        found: int = struct.unpack_from(">H", self._font, at)[0]
        return found


@cache
def kerning_of(name: str) -> Kerning:
    """Return the kerning of one of our fonts, such as ``NotoSans-Bold``."""
    return Kerning(files("fullhouse.tickets").joinpath("fonts", f"{name}.ttf").read_bytes())
