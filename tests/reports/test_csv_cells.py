"""CSV cells: what a spreadsheet would run is defused, and what is a number stays one."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.reports.csv_cells import Number, csv_line, decimal_text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_a_text_that_is_a_formula_begins_with_an_apostrophe(start: str) -> None:
    [[cell]] = csv.reader(io.StringIO(csv_line([f"{start}HYPERLINK(1)"]), newline=""))
    assert cell == f"'{start}HYPERLINK(1)"


def test_cells_of_each_kind() -> None:
    at = datetime(2031, 7, 12, 20, 0, 0, 123456, tzinfo=UTC)
    line = csv_line([None, -5, Number("-12.50"), at, "Souza, Ana", 'a "b"', "", "plain"])
    assert line == ',-5,-12.50,2031-07-12T20:00:00.123Z,"Souza, Ana","a ""b""",,plain\r\n'


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (-1250, "EUR", "-12.50"),
        (5, "EUR", "0.05"),
        (1200, "JPY", "1200"),
        (-1, "KWD", "-0.001"),
        (1250, "KWD", "1.250"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: int, currency: str, text: str) -> None:
    assert decimal_text(amount, currency) == text


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), min_size=1, max_size=5))
def test_what_is_written_is_read_again_and_never_runs(cells: list[str]) -> None:
    [read] = csv.reader(io.StringIO(csv_line([*cells, "end"]), newline=""))
    assert [
        cell.removeprefix("'") if cell[1:] == was else cell for cell, was in zip(read, cells, strict=False)
    ] == cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in read)
