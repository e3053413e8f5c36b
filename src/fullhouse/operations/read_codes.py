"""Reading codes out of pictures and PDFs, as a scanner at the door does."""

from io import BytesIO

# The readers of pictures carry few types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportArgumentType=false
import pypdfium2
import zxingcpp
from PIL import Image

PDF_SCALE = 3.0
"""216 dots an inch: a phone's camera held over a printed page does better."""


def read_picture(png: bytes) -> list[str]:
    """Return the texts of the QR codes in a picture."""
    return _texts(Image.open(BytesIO(png)).convert("L"))


def read_pdf(pdf: bytes) -> list[str]:
    """Return the texts of the QR codes on all pages, in the order of the pages."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [text for page in document for text in _texts(page.render(scale=PDF_SCALE, grayscale=True).to_pil())]
    finally:
        document.close()


def _texts(picture: Image.Image) -> list[str]:
    return [barcode.text for barcode in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)]
