"""Tickets that are filled into a pattern: the same pictures and texts as if each had been set for itself."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pypdfium2
import pytest
from harness.printed import CODES, DOCUMENT, FACE
from PIL import ImageChops

from fullhouse.tickets import render_ticket
from fullhouse.tickets.printed.fill_in_tickets import PAGES_MAX, in_common
from fullhouse.tickets.printed.kerning import kerning_of
from fullhouse.tickets.printed.pdf_fonts import inflated, objects_of
from fullhouse.tickets.render_ticket import render_pdf, typeset_whole
from fullhouse.tickets.rules import Document

ALPHABETS = ("AVTyoWe.,-PÁçãõ()'&/ fil", "ŁukaszŻółćĞışŘ ff", "ΑναστσίΠδΤύ -", "АнсткйТуеЁж .", "ẠảấNguyễVWvơư")


def with_texts(names: Sequence[str], seat: str = "Fila C, 11") -> Document:
    faces = tuple(
        replace(
            FACE,
            holder=name,
            place=(FACE.place[0], ("Lugar", seat)),
            reference=f"{page:04X}-22C1-90DE",
            number=f"{page + 1} de {len(names)}",
            code=CODES[page % 10],
        )
        for page, name in enumerate(names)
    )
    return replace(DOCUMENT, tickets=faces)


def whole_only(monkeypatch: pytest.MonkeyPatch) -> list[Document]:
    """Note what is set for itself."""
    noted: list[Document] = []

    def set_and_note(document: Document) -> bytes:
        noted.append(document)
        return typeset_whole(document)

    monkeypatch.setattr(render_ticket, "typeset_whole", set_and_note)
    return noted


def assert_look_equal(one: bytes, other: bytes) -> None:
    first, second = pypdfium2.PdfDocument(one), pypdfium2.PdfDocument(other)
    assert len(first) == len(second)
    for page, twin in zip(first, second, strict=True):
        assert page.get_textpage().get_text_range() == twin.get_textpage().get_text_range()
        pictures = [each.render(scale=2).to_pil() for each in (page, twin)]
        assert ImageChops.difference(*pictures).getbbox() is None


@pytest.mark.parametrize("letters", ALPHABETS)
def test_it_looks_as_if_it_was_set_for_itself(letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(letters)
    names = [" ".join("".join(chance.choices(letters, k=24)).split()) for _ in range(10)]
    document = with_texts(names, seat="".join(chance.choices(letters.replace(" ", ""), k=9)))
    whole = typeset_whole(document)
    set_for_itself = whole_only(monkeypatch)
    filled = render_pdf(document)
    assert set_for_itself == []
    assert_look_equal(filled, whole)


def test_all_of_it_is_where_a_reader_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_itself = whole_only(monkeypatch)
    one, other = (render_pdf(with_texts([name])) for name in ("Ana Souza", "Bruno Lima"))
    assert set_for_itself == []
    for pdf in (one, other):
        objects = dict(objects_of(pdf))
        assert b"/StructTreeRoot" in pdf
        assert b"/Lang(pt-BR)" in pdf
        assert b"/Alt(QR)" in pdf
        assert b"D:20261101120000Z" in pdf
        assert b"<xmp:CreateDate>2026-11-01T12:00:00+00:00<" in pdf
        assert b"20000101" not in pdf
        assert b"2000-01-01" not in pdf
        [content] = [inflated(body) for body in objects.values() if b"scn\nBT" in _shown(body)]
        marked = [int(number) for number in re.findall(rb"/MCID (\d+)", content)]
        assert marked == list(range(len(marked)))
        assert content.count(b"EMC") == content.count(b"BDC")
    ids = [re.findall(rb"\(([\w+/=]{24})\)", pdf[pdf.index(b"trailer") :]) for pdf in (one, other)]
    assert len({*ids[0], *ids[1]}) == 4
    assert all(one.count(name) == 2 for name in ids[0]), "the metadata has the same ids"


def _shown(body: bytes) -> bytes:
    return inflated(body) if b"\nstream\n" in body else b""


@pytest.mark.parametrize(
    "name",
    [
        "山田 花子",
        "حنان",
        "חנה לוי",
        "Ана Souza",
        "Ana  Souza",
        " Ana",
        "A" * 60,
        "e\u0301ric",
        "\u200bAna",
        "ऋषि",
        "สมชาย",
        "😀",
    ],
)
def test_what_needs_more_is_set_for_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_itself = whole_only(monkeypatch)
    document = with_texts(["Ana Souza", name])
    assert len(pypdfium2.PdfDocument(render_pdf(document))) == 2
    assert set_for_itself == [document]


def test_a_long_seat_and_many_pages_are_set_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_itself = whole_only(monkeypatch)
    documents = [with_texts(["Ana"], seat="Fila do mezanino superior, 11"), with_texts(["Ana"] * (PAGES_MAX + 1))]
    for document in documents:
        render_pdf(document)
    assert set_for_itself == documents


@pytest.mark.parametrize("text", ["§0.1", "§000-0000-0000", "§0.2 §", "D:20000101000000Z"])
def test_texts_that_look_like_marks_are_printed_as_they_are(text: str) -> None:
    document = replace(with_texts(["Ana Souza"]), event=text, session=text, location=text, organization=text)
    assert_look_equal(render_pdf(document), typeset_whole(document))
    marked = with_texts([text])
    assert_look_equal(render_pdf(marked), typeset_whole(marked))


def test_what_the_organizer_wrote_may_need_any_script(monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_itself = whole_only(monkeypatch)
    document = replace(with_texts(["Ana Souza", "Bruno Lima"]), event="能 " * 30, location="مسرح", session="")
    filled = render_pdf(document)
    assert set_for_itself == []
    assert_look_equal(filled, typeset_whole(document))


def test_a_name_and_a_seat_that_are_missing_leave_no_mark() -> None:
    nobody = replace(FACE, holder="", place=())
    document = replace(DOCUMENT, tickets=(nobody, replace(nobody, place=(("Setor", "Pista"),))))
    common = in_common(document)
    assert common is not None
    assert [len(slots) for slots in common.slots] == [1, 1]
    assert_look_equal(render_pdf(document), typeset_whole(document))


def test_a_pattern_is_set_once_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_one = render_ticket.compile_pdf

    def compile_and_count(template: bytes, name: str, *rest: object) -> bytes:
        compiled.append(name)
        return compile_one(template, name, *rest)  # pyright: ignore[reportArgumentType] (handed on)

    monkeypatch.setattr(render_ticket, "compile_pdf", compile_and_count)
    for name in ("Ana Souza", "Bruno Lima", "Érica Ñandú"):
        render_pdf(replace(with_texts([name]), event="An event like no other"))
    assert compiled == ["order"]


def test_kerning_is_read_from_the_font() -> None:
    bold = kerning_of("NotoSans-Bold")
    pairs = ("AV", "To", "Yo", "nn", "Ла")
    assert {pair: bold.between(*pair) for pair in pairs} == {"AV": -40, "To": -70, "Yo": -50, "nn": 0, "Ла": 0}
    assert bold.between("ffi", "x") == bold.between("A", "ffl") == 0
