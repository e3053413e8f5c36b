"""The page that describes the format tells the truth."""

import json
import re
from pathlib import Path

from fullhouse.seating import rules
from fullhouse.seating.import_seat_map import seat_map_from

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "seat-map-format.md"


def test_the_example_is_a_seat_map() -> None:
    example = re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    read = seat_map_from(json.loads(example[1]))
    assert (read.seat_count, read.place_count) == (6, 86)
    assert read.seats[0].key == "stalls-A-1"
    assert [seat.label for seat in read.seats[3:]] == ["Row B, 1", "Row B, 2", "Row B, 3 (behind a pillar)"]


def test_the_limits_are_those_of_the_rules() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for limit in (rules.SEATS_MAX, rules.COORDINATE_MAX, rules.SECTIONS_MAX, rules.AREA_CAPACITY_MAX):
        assert f"{limit:,}" in text
    assert f"`price_categories`** (up to {rules.PRICE_CATEGORIES_MAX})" in text
    assert f"`areas`** (up to {rules.AREAS_MAX:,})" in text
    assert f"`landmarks`** (up to {rules.LANDMARKS_MAX:,})" in text
    assert f"`seats`, up to {rules.SEATS_PER_ROW_MAX:,}" in text
