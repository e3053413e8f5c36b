"""Rendered tickets: what the pictures and pages show can be read back, for names in every script."""

import io
import threading
from dataclasses import replace

import pypdfium2
import pytest
import zxingcpp
from harness.printed import CODES, DOCUMENT, FACE
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fullhouse.tickets.render_ticket import document_digest, render_pdf, render_qr_png, render_qr_svg
from fullhouse.tickets.rules import Document

LONG = {
    "one word": "W" * 200,
    "many words": "Maria da Conceição de Albuquerque e Vasconcelos Figueiredo do Nascimento " * 3,
    "Greek": "Αναστασία-Παπαδοπούλου-Κωνσταντινίδη " * 5,
    "Arabic": "عبد الرحمن الأنصاري " * 10,
    "Japanese": "山田花子" * 50,
}


def pages(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    return [page.get_textpage().get_text_range() for page in document]


def picture(pdf: bytes, page: int = 0) -> Image.Image:
    return pypdfium2.PdfDocument(pdf)[page].render(scale=3).to_pil()


def with_holder(name: str) -> Document:
    return replace(DOCUMENT, tickets=(replace(FACE, holder=name),))


def flat(text: str) -> str:
    return "".join(text.replace("\N{ZERO WIDTH SPACE}", "").split())


def test_the_png_is_read_back() -> None:
    png = render_qr_png(CODES[0])
    image = Image.open(io.BytesIO(png))
    assert image.size == (456, 456)
    assert [found.text for found in zxingcpp.read_barcodes(image)] == [CODES[0]]
    assert len(png) < 6000


def test_the_svg_is_drawn_by_itself_alone() -> None:
    svg = render_qr_svg(CODES[0])
    assert svg.startswith('<svg width="57" height="57"')
    for outside in ("<!DOCTYPE", "<script", "href", "style"):
        assert outside not in svg


def test_a_page_a_ticket_and_every_code_is_read_back() -> None:
    faces = tuple(replace(FACE, code=code, number=f"{n + 1} de 10") for n, code in enumerate(CODES))
    pdf = render_pdf(replace(DOCUMENT, tickets=faces))
    texts = pages(pdf)
    assert len(texts) == 10
    for number, (text, code) in enumerate(zip(texts, CODES, strict=True)):
        assert f"{number + 1} de 10" in text
        assert [found.text for found in zxingcpp.read_barcodes(picture(pdf, number))] == [code]


def test_a_page_says_everything() -> None:
    [text] = pages(render_pdf(DOCUMENT))
    for said in (
        DOCUMENT.organization,
        DOCUMENT.session,
        DOCUMENT.date,
        DOCUMENT.time,
        DOCUMENT.time_zone,
        DOCUMENT.location,
        "Plateia",
        "Fila C, 11",
        "Inteira",
        "R$ 45,00",
        "Ana Souza",
        FACE.reference,
        "Mostre este código na entrada.",
    ):
        assert flat(said) in flat(text), said
    assert flat(DOCUMENT.event) in flat(text)


@pytest.mark.parametrize(
    "name",
    [
        "João Gonçalves Antônio",
        "Αναστασία Παπαδοπούλου",
        "山田 花子",
        "ヤマダ ハナコ",
        "Анастасия",
        "김하늘",
        "Nguyễn Thị Ánh",
        "Łukasz Żółć",
        "חנה לוי",
    ],
)
def test_names_in_many_scripts_have_glyphs(name: str) -> None:
    [text] = pages(render_pdf(with_holder(name)))
    shown = flat(text)
    assert flat(name) in shown or flat(name)[::-1] in shown
    assert "\ufffd" not in text


def test_arabic_is_shaped_and_runs_from_right_to_left() -> None:
    parted = "\N{ZERO WIDTH NON-JOINER}".join("محمد")
    assert len(_strokes(render_pdf(with_holder("محمد")))) == 1, "the four letters are joined"
    assert len(_strokes(render_pdf(with_holder(parted)))) == 4

    two_words = _strokes(render_pdf(with_holder("ا محمد")))
    widths = [right - left for left, right in two_words]
    assert len(widths) == 2
    assert widths[1] < widths[0] / 2, "the alef, which is written first, stands at the right"


def _strokes(pdf: bytes) -> list[tuple[int, int]]:
    """Find the columns with ink in the line of the holder's name, as runs from and to."""
    page = pypdfium2.PdfDocument(pdf)[0]
    textpage = page.get_textpage()
    found = textpage.search("NOME").get_next()
    assert found is not None
    label = textpage.get_charbox(found[0])
    scale = 4
    top = int((page.get_height() - label[1] + 2.5) * scale)
    image = page.render(scale=scale).to_pil().convert("L").crop((0, top, int(200 * scale), top + int(13 * scale)))
    inked = [x for x in range(image.width) if image.crop((x, 0, x + 1, image.height)).histogram()[:100] != [0] * 100]
    starts = [x for x in inked if x - 1 not in inked]
    ends = [x for x in inked if x + 1 not in inked]
    return list(zip(starts, ends, strict=True))


def darkest(image: Image.Image) -> int:
    return next(value for value, count in enumerate(image.convert("L").histogram()) if count)


@pytest.mark.parametrize(
    "text",
    [
        '#import "x"',
        '#read("/etc/passwd")',
        "*bold* _it_ $x^2$ `code` = heading",
        "<label> @reference // comment /* x */",
        "\\ #{ [x] } ~ -- --- '\"",
        "]#pagebreak()[",
        "https://example.org/?a=1&b=2",
        "{{ event }} %(name)s {% raw %}",
    ],
)
def test_text_of_users_is_printed_as_it_is(text: str) -> None:
    hostile = replace(DOCUMENT, event=text, organization=text, session=text, location=text)
    hostile = replace(hostile, tickets=(replace(FACE, holder=text, ticket_type=text, place=((text, text),)),))
    [page] = pages(render_pdf(hostile))
    assert flat(page).count(flat(text)) >= 6


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_the_longest_texts_stay_on_their_page_and_off_the_code(text: str) -> None:
    text = text[:200]
    long = replace(DOCUMENT, event=text, organization=text, session=text, location=text)
    face = replace(FACE, holder=text, ticket_type=text[:100], place=((text[:30], text), (text[:30], text[:60])))
    pdf = render_pdf(replace(long, tickets=(replace(face, price="UGX 999.999.999.999"),)))
    assert len(pages(pdf)) == 1
    image = picture(pdf)
    assert [found.text for found in zxingcpp.read_barcodes(image)] == [CODES[0]]
    scale = image.width / 105
    for left, right in ((1, 8), (97, 104)):
        margin = image.crop((int(left * scale), int(140 * scale), int(right * scale), int(210 * scale)))
        assert darkest(margin) > 250, "nothing is printed in the margins"
    above_code = image.crop((int(9 * scale), int(132 * scale), int(96 * scale), int(137 * scale)))
    assert darkest(above_code) > 250, "the code keeps its quiet zone"


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_can_be_set(name: str, event: str) -> None:
    pdf = render_pdf(replace(with_holder(name), event=event, location=event, session=name))
    assert len(pages(pdf)) == 1
    assert [found.text for found in zxingcpp.read_barcodes(picture(pdf))] == [CODES[0]]


def test_an_empty_name_leaves_out_the_field() -> None:
    [text] = pages(render_pdf(with_holder("")))
    assert "NOME" not in text
    assert "INGRESSO" in text


def test_the_same_document_has_the_same_bytes_and_the_same_digest() -> None:
    assert render_pdf(DOCUMENT) == render_pdf(with_holder("Ana Souza"))
    assert document_digest(DOCUMENT) == document_digest(with_holder("Ana Souza"))
    assert document_digest(DOCUMENT) != document_digest(with_holder("Ana  Souza"))


def test_many_threads_render_at_once() -> None:
    made: dict[int, bytes] = {}

    def render(number: int) -> None:
        made[number] = render_pdf(with_holder(f"Pessoa {number}"))

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(8))
    for number, pdf in made.items():
        assert f"Pessoa {number}" in pages(pdf)[0]
