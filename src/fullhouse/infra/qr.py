"""QR pictures."""

from typing import Any, cast

import zxingcpp


def draw_qr_svg(text: str) -> str:
    """Draw a text as SVG, with its quiet zone."""
    made = cast("Any", zxingcpp).create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    drawn = str(made.to_svg(scale=1))
    return drawn[drawn.index("<svg") :]
