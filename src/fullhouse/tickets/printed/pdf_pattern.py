"""PDFs that differ in a few texts and pictures: set once as a pattern, and filled in for each.

A pattern is a PDF of the compiler in which marks stand for the texts to come, and one module for each QR picture.
Filling it in writes other text into the same place, in the same fonts and with the same kerning, and leaves the rest,
tags and all, as it was set; what the compiler would have to shape, break or shrink is not filled in.
"""

import re
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from fullhouse.tickets.printed.pdf_fonts import NoPattern, field, fonts_of, inflated, objects_of, reference
from fullhouse.tickets.printed.pdf_page import Filling, Slot, filled_page, pieces_of

PATTERN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""When patterns are said to have been made; what is filled in says its own time."""


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
            list(pieces_of(inflated(objects[content]), fonts_of(objects, page), of_page))
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
            content = filled_page(pieces, slots, filling)
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


def _replaced(body: bytes, told: Mapping[bytes, bytes]) -> bytes:
    for old, new in told.items():
        body = body.replace(old, new)
    return body


def _pdf_date(at: datetime) -> str:
    return at.strftime("D:%Y%m%d%H%M%SZ")


def _xmp_date(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
