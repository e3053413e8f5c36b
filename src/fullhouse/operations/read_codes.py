"""Reading codes out of pictures and PDFs, as a scanner at the door does."""

from contextlib import closing
from io import BytesIO
from threading import Lock

# The readers of pictures carry few types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportArgumentType=false
# pyright: reportUnknownArgumentType=false
import zxingcpp
from PIL import Image
from pypdfium2 import PdfDocument

PDF_SCALE = 3.0
"""216 dots an inch: a phone's camera held over a printed page does better."""

_OURS = zxingcpp.BarcodeFormat.QRCodeModel2
"""``QRCode`` stands for the small relatives as well, which so little protects that parts of a page may pass for one."""

_one_at_a_time = Lock()
"""PDFium may not be called by two threads at a time, not even about two documents: the process would crash."""


def read_picture(png: bytes) -> list[str]:
    """Return the texts of the QR codes in a picture."""
    return _texts(Image.open(BytesIO(png)).convert("L"))


def read_pdf(pdf: bytes) -> list[str]:
    """Return the texts of the QR codes on all pages, in the order of the pages."""
    return [text for picture in _pages(pdf) for text in _texts(picture)]


def _pages(pdf: bytes) -> list[Image.Image]:
    """Draw all pages."""
    with _one_at_a_time, closing(PdfDocument(pdf)) as document:
        pictures: list[Image.Image] = []
        for page in document:
            with closing(page), closing(page.render(scale=PDF_SCALE, grayscale=True)) as bitmap:
                # A copy, since the picture shows memory that PDFium gives back with the bitmap.
                pictures.append(bitmap.to_pil().copy())
        return pictures


def _texts(picture: Image.Image) -> list[str]:
    return [barcode.text for barcode in zxingcpp.read_barcodes(picture, formats=_OURS)]
