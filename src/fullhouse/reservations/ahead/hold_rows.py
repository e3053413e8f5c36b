"""What a batch of holds writes. Pure.

What each hold has of its own are plain arrays, which the driver sends as Postgres keeps them: to read ids, hashes and
keys out of texts took a tenth of its time. What many have in common is written as a text once, and remembered.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from fullhouse.infra.idempotency import Claim
from fullhouse.reservations.decide import Granted
from fullhouse.reservations.rules import HeldItem
from fullhouse.reservations.stock import Places, ShapeTexts

_NO_BYTES = '""'


class Shape(NamedTuple):
    """What reservations of a batch have in common: the same places, asked for by the same body."""

    places: Places
    fingerprint: str


class Rows:
    """The reservations of a batch. What is held alike is written once, and each reservation says which it has."""

    __slots__ = ("_numbers", "counts", "ids", "keys", "seated", "shape_of", "shapes", "token_hashes")

    def __init__(self) -> None:
        """Begin without any."""
        self._numbers: dict[tuple[int, bytes | None], int] = {}
        self.shapes: list[Shape] = []
        # How many reservations have each shape, and which one each has, counted from 1.
        self.counts: list[int] = []
        self.shape_of: list[int] = []
        self.ids: list[UUID] = []
        self.token_hashes: list[bytes] = []
        self.keys: list[str | None] = []
        self.seated: list[tuple[int, UUID]] = []

    def add(self, granted: Granted, claim: Claim | None) -> None:
        """Add a reservation."""
        (reservation_id, _, token_hash, _), places = granted
        shape = (id(places), None if claim is None else claim.fingerprint)
        number = self._numbers.get(shape)
        if number is None:
            number = self._new_shape(shape, places)
        self.counts[number - 1] += 1
        self.shape_of.append(number)
        self.ids.append(reservation_id)
        self.token_hashes.append(token_hash)
        self.keys.append(None if claim is None else claim.key)
        if places.draw.seats:
            self.seated += [(seat, reservation_id) for seat in places.draw.seats]

    def _new_shape(self, shape: tuple[int, bytes | None], places: Places) -> int:
        _, fingerprint = shape
        self.shapes.append(Shape(places, "NULL" if fingerprint is None else fingerprint.hex() or _NO_BYTES))
        self.counts.append(0)
        number = self._numbers[shape] = len(self.shapes)
        return number

    def drawn(self) -> list[tuple[UUID, int]]:
        """Add up what is drawn of each quota, in the order in which quotas are locked."""
        drawn: dict[UUID, int] = {}
        for shape, alike in zip(self.shapes, self.counts, strict=True):
            for quota_id, count in shape.places.draw.quota_counts.items():
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
    """Write an array of Postgres whose elements need no quotes."""
    return f"{{{','.join(map(str, values))}}}"


def strings_text(values: Iterable[str]) -> str:
    """Write an array of texts that need no quotes."""
    return f"{{{','.join(values)}}}"


def items_text(items: Sequence[HeldItem]) -> str:
    """Write held items as the text of their JSON."""
    return _encoder.encode([item.to_json() for item in items])


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
