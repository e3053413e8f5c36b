"""What a batch of holds writes, as the texts of arrays: the driver would look at the type of every element. Pure."""

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

from fullhouse.infra.idempotency import Claim
from fullhouse.reservations.decide import Granted
from fullhouse.reservations.rules import HeldItem
from fullhouse.reservations.stock import Places, ShapeTexts

NOTHING = '""'


class Rows:
    """The reservations of a batch. What is held alike is written once, and each reservation says which it has."""

    __slots__ = ("_numbers", "counts", "fingerprints", "ids", "keys", "seated", "shape_of", "shapes", "token_hashes")

    def __init__(self) -> None:
        """Begin without any."""
        self._numbers: dict[int, int] = {}
        self.shapes: list[Places] = []
        # How many reservations have each shape, and which one each has, counted from 1.
        self.counts: list[int] = []
        self.shape_of: list[int] = []
        self.ids: list[str] = []
        self.token_hashes: list[str] = []
        self.keys: list[str] = []
        self.fingerprints: list[str] = []
        self.seated: list[tuple[int, str]] = []

    def add(self, granted: Granted, claim: Claim | None) -> None:
        """Add a reservation."""
        (reservation_id, _, token_hash, _), places = granted
        number = self._numbers.get(id(places))
        if number is None:
            self.shapes.append(places)
            self.counts.append(0)
            number = self._numbers[id(places)] = len(self.shapes)
        self.counts[number - 1] += 1
        self.shape_of.append(number)
        owner = reservation_id.hex
        self.ids.append(owner)
        self.token_hashes.append(token_hash.hex() or NOTHING)
        if claim is None:
            self.keys.append("NULL")
            self.fingerprints.append("NULL")
        else:
            self.keys.append(quoted(claim.key))
            self.fingerprints.append(claim.fingerprint.hex() or NOTHING)
        if places.draw.seats:
            self.seated += [(seat, owner) for seat in places.draw.seats]

    def drawn(self) -> list[tuple[UUID, int]]:
        """Add up what is drawn of each quota, in the order in which quotas are locked."""
        drawn: dict[UUID, int] = {}
        for places, alike in zip(self.shapes, self.counts, strict=True):
            for quota_id, count in places.draw.quota_counts.items():
                drawn[quota_id] = drawn.get(quota_id, 0) + count * alike
        return sorted(drawn.items())


def shape_texts(places: Places) -> ShapeTexts:
    """Write places, or find how they were written before."""
    if places.texts is None:
        draw = places.draw
        places.texts = ShapeTexts(
            items_text(places.items),
            array_text(quota_id.hex for quota_id in draw.quota_counts),
            array_text(draw.quota_counts.values()),
            array_text(draw.seats),
        )
    return places.texts


def array_text(values: Iterable[object]) -> str:
    """Write an array of Postgres whose elements need no quotes, or have them."""
    return f"{{{','.join(map(str, values))}}}"


def strings_text(values: Iterable[str]) -> str:
    """Write an array of texts that need no quotes, or have them."""
    return f"{{{','.join(values)}}}"


def quoted(text: str) -> str:
    """Write a text as an element of an array."""
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def items_text(items: Sequence[HeldItem]) -> str:
    """Write held items as the text of their JSON."""
    return _encoder.encode([item.to_json() for item in items])


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
