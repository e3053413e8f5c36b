"""Reading codes as a scanner does, several at a time."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier, BrokenBarrierError

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from fullhouse.operations import read_codes
from fullhouse.operations.read_codes import read_pdf, read_picture

TEXTS = ["page 0", "page 1", "page 2"]


def test_two_threads_never_call_pdfium_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # It would end the whole process, if only now and then.
    both = Barrier(2)
    met: list[bool] = []

    def opened(pdf: bytes) -> pypdfium2.PdfDocument:
        try:
            both.wait(timeout=0.5)
        except BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return pypdfium2.PdfDocument(pdf)

    monkeypatch.setattr(read_codes, "PdfDocument", opened)
    first, *others = [_page(text) for text in TEXTS]
    file = BytesIO()
    first.save(file, "PDF", save_all=True, append_images=others)
    with ThreadPoolExecutor(2) as readers:
        assert list(readers.map(read_pdf, [file.getvalue()] * 2)) == [TEXTS] * 2
    assert met == [False, False]


def _page(text: str) -> Image.Image:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    page = Image.new("L", (240, 320), 255)
    page.paste(Image.fromarray(code.to_image(scale=4, add_quiet_zones=True)), (20, 20))
    return page


def test_small_relatives_of_our_codes_are_passed_over() -> None:
    page = _page(TEXTS[0])
    for number, small in enumerate((zxingcpp.BarcodeFormat.MicroQRCode, zxingcpp.BarcodeFormat.RMQRCode)):
        code = zxingcpp.create_barcode("1", small)
        page.paste(Image.fromarray(code.to_image(scale=2, add_quiet_zones=True)), (20 + 100 * number, 240))
    drawn = BytesIO()
    page.save(drawn, "PNG")
    assert read_picture(drawn.getvalue()) == [TEXTS[0]]
