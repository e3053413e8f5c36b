"""Rendering: QR pictures of a code, and the PDF of a document with one page a ticket.

These calls take milliseconds of processor time, so they belong in a thread (``asyncio.to_thread``). The same input
gives the same bytes.
"""

import hashlib
import json
import math
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, cast

import typst
import zxingcpp

from fullhouse.tickets.printed.fill_in_tickets import DIGITS, in_common, texts_of
from fullhouse.tickets.printed.pdf_fonts import NoPattern
from fullhouse.tickets.printed.pdf_page import QR_MARK, Filling, Slot
from fullhouse.tickets.printed.pdf_pattern import PATTERN_TIME, Pattern
from fullhouse.tickets.rules import Document

QR_SCALE = 8
"""Pixels a module: the picture has 456 pixels a side, quiet zone included. Eight pixels of one bit are one byte."""

QR_SIDE = 57
"""Modules a side of a ticket's picture, quiet zone included."""

PATTERNS_KEPT = 128
"""A pattern of one page has some 50 kB."""

_BLACK = re.compile(rb"\x00+")

_one_at_a_time = Lock()


def render_qr_png(code: str) -> bytes:
    """Draw a code as a PNG in black and white, with its quiet zone."""
    side, rows = _rows(code)
    # A module is 0 or 255: the very byte that eight pixels of it are.
    lines = b"".join((b"\x00" + row) * QR_SCALE for row in rows)
    header = struct.pack(">IIBBBBB", side * QR_SCALE, side * QR_SCALE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b""))
    )


def render_qr_svg(code: str) -> str:
    """Draw a code as an SVG of one unit a module, with its quiet zone; it grows without loss."""
    side, runs = _runs(code)
    return _svg(side, "".join(f"M{x} {y}h{width}v1h-{width}z" for x, y, width in runs))


def render_pdf(document: Document) -> bytes:
    """Set a document as PDF, one page a ticket.

    What tickets of a session have in common is set once, and the rest filled in, where it is short and in an alphabet
    that needs no shaping. The same document takes the same way each time, so it has the same bytes.
    """
    return _filled_in(document) or typeset_whole(document)


def typeset_whole(document: Document) -> bytes:
    """Set a document for itself: in any script, broken into lines, and shrunk to fit."""
    return typeset(_template(), "order", _template_data(document, render_qr_svg), document.issued_at)


def _filled_in(document: Document) -> bytes | None:
    common = in_common(document)
    if common is None:
        return None
    data = _template_data(common.document, _mark_of_qr) | {"alphabet": common.alphabet, "digits": DIGITS}
    pattern = _pattern(json.dumps(data, ensure_ascii=False), common.slots)
    if pattern is None:
        return None
    return pattern.fill([Filling(texts_of(face), _modules(face.code)) for face in document.tickets], document.issued_at)


@lru_cache(maxsize=PATTERNS_KEPT)
def _pattern(written: str, slots: tuple[tuple[Slot, ...], ...]) -> Pattern | None:
    """Set a pattern; None where it cannot be filled in, as where a text of the organizer has our marks in it."""
    made = compile_pdf(_template(), "order", written, PATTERN_TIME)
    try:
        return Pattern(made, slots)
    except NoPattern:
        return None


def _modules(code: str) -> bytes:
    """Write the modules of a code as operators of PDF."""
    _, runs = _runs(code)
    return b"%bf\n" % b"".join([b"%d %d %d 1 re\n" % run for run in runs])


def _mark_of_qr(_code: str) -> str:
    return _svg(QR_SIDE, QR_MARK)


def typeset(template: bytes, name: str, data: Mapping[str, Any], at: datetime) -> bytes:
    """Set a template of ours, which finds its data under a name, as the PDF of an instant."""
    return compile_pdf(template, name, json.dumps(data, ensure_ascii=False), at)


def compile_pdf(template: bytes, name: str, written: str, at: datetime) -> bytes:
    """Let the compiler set a template with the data as it is written."""
    # The compiler keeps what it has laid out for the next document, and takes one caller at a time.
    with _one_at_a_time:
        made = _compiler().compile(
            template,
            format="pdf",
            sys_inputs={name: written},
            timestamp=int(at.timestamp()),
        )
    assert isinstance(made, bytes)  # noqa: S101 (without an output path, a PDF is one string of bytes)
    return made


def document_digest(document: Document) -> str:
    """Name what a document would look like: equal for equal content and template."""
    content = json.dumps(asdict(document), default=str, sort_keys=True).encode()
    return hashlib.sha256(_template() + content).hexdigest()[:32]


def _template_data(document: Document, draw: Callable[[str], str]) -> dict[str, Any]:
    language, _, region = document.language.partition("-")
    return {
        "language": language,
        "region": region.lower() or None,
        "title": document.title,
        "organization": document.organization,
        "event": document.event,
        "session": document.session,
        "date": document.date,
        "time": document.time,
        "time_zone": document.time_zone,
        "location": document.location,
        "labels": dict(document.labels),
        "tickets": [
            {
                "reference": face.reference,
                "place": face.place,
                "ticket_type": face.ticket_type,
                "price": face.price,
                "holder": face.holder,
                "number": face.number,
                "qr": draw(face.code),
            }
            for face in document.tickets
        ],
    }


def _qr(code: str) -> zxingcpp.Barcode:
    made: zxingcpp.Barcode = cast("Any", zxingcpp).create_barcode(code, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    return made


def _rows(code: str) -> tuple[int, list[bytes]]:
    """Return how many modules a side has, and its rows; a module is 0 (black) or 255."""
    modules = memoryview(cast("Any", _qr(code).to_image(scale=1))).tobytes()
    side = math.isqrt(len(modules))
    return side, [modules[start : start + side] for start in range(0, len(modules), side)]


def _runs(code: str) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the side, and all runs of black modules: where they begin, and how long they are."""
    side, rows = _rows(code)
    runs = [(run.start(), y, run.end() - run.start()) for y, row in enumerate(rows) for run in _BLACK.finditer(row)]
    return side, runs


def _svg(side: int, path: str) -> str:
    return (
        f'<svg width="{side}" height="{side}" viewBox="0 0 {side} {side}" xmlns="http://www.w3.org/2000/svg">'
        f'<path d="M0 0h{side}v{side}H0z" fill="#fff"/><path d="{path}" fill="#000"/></svg>'
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def _template() -> bytes:
    return files("fullhouse.tickets").joinpath("ticket.typ").read_bytes()


@cache
def _compiler() -> typst.Compiler:
    folder = Path(str(files("fullhouse.tickets").joinpath("fonts")))
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])
    return typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
