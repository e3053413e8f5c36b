"""Rendering: QR pictures of a code, and the PDF of a document with one page a ticket.

These calls take milliseconds of processor time, so they belong in a thread (``asyncio.to_thread``). The same input
gives the same bytes.
"""

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, cast

import typst
import zxingcpp

from fullhouse.tickets.rules import Document

QR_SCALE = 8
"""Pixels a module: the picture has 456 pixels a side, quiet zone included. Eight pixels of one bit are one byte."""

_one_at_a_time = Lock()


def render_qr_png(code: str) -> bytes:
    """Draw a code as a PNG in black and white, with its quiet zone."""
    modules = memoryview(cast("Any", _qr(code).to_image(scale=1))).tobytes()
    side = math.isqrt(len(modules))
    # A module is 0 or 255: the very byte that eight pixels of it are.
    lines = b"".join((b"\x00" + modules[row * side : (row + 1) * side]) * QR_SCALE for row in range(side))
    header = struct.pack(">IIBBBBB", side * QR_SCALE, side * QR_SCALE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b""))
    )


def render_qr_svg(code: str) -> str:
    """Draw a code as an SVG of one unit a module, with its quiet zone; it grows without loss."""
    drawn = _qr(code).to_svg(scale=1)
    return drawn[drawn.index("<svg") :]


def render_pdf(document: Document) -> bytes:
    """Set a document as PDF, one page a ticket."""
    return typeset(_template(), "order", _template_data(document), document.issued_at)


def typeset(template: bytes, name: str, data: Mapping[str, Any], at: datetime) -> bytes:
    """Set a template of ours, which finds its data under a name, as the PDF of an instant."""
    written = json.dumps(data, ensure_ascii=False)
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


def _template_data(document: Document) -> Mapping[str, Any]:
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
                "qr": render_qr_svg(face.code),
            }
            for face in document.tickets
        ],
    }


def _qr(code: str) -> zxingcpp.Barcode:
    made: zxingcpp.Barcode = cast("Any", zxingcpp).create_barcode(code, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    return made


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
