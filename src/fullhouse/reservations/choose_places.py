"""Which places one item of a request gets: a part of the decision, and as pure."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from fullhouse.events.rules import PriceCategory, SessionTerms, TicketType
from fullhouse.reservations.rules import (
    BestAvailable,
    HeldItem,
    HeldSeat,
    ItemRequest,
    NotSold,
    SeatTaken,
    SoldOut,
)
from fullhouse.reservations.stock import Stock
from fullhouse.seating.best_available import SeatWish
from fullhouse.seating.rules import SeatMap


def choose_places(
    stock: Stock, terms: SessionTerms, ticket_type: TicketType, item: ItemRequest, number: int
) -> list[HeldItem]:
    """Choose places for one item and check that each quota has room for them. Takes nothing.

    ``number`` is the item's place in the request, for errors. Seats of several price categories give an item for
    each. Raises ``SoldOut``, ``SeatTaken`` or ``NotSold``.
    """
    chooser = _Places(stock, terms, ticket_type, f"items[{number}]")
    if item.seats is not None:
        held = chooser.named(item.seats)
    elif item.best_available is not None:
        held = chooser.best(item.best_available)
    else:
        held = [chooser.standing(item.quantity or 0, item.area)]
    chooser.check_quotas(held)
    return held


class _Places:
    """One ticket type's view of the stock while an item is decided."""

    def __init__(self, stock: Stock, terms: SessionTerms, ticket_type: TicketType, place: str) -> None:
        self.stock = stock
        self.ticket_type = ticket_type
        self.place = place
        self.categories = {c.key: c for c in terms.price_categories if c.price_category_id in ticket_type.prices}

    def standing(self, quantity: int, area_key: str | None) -> HeldItem:
        """Take a quantity of a standing area, or of the only category without seats."""
        seat_map = self.stock.seat_map
        if seat_map is None:
            return self._held(self._category_without_map(area_key), quantity, area_key)
        candidates = [area for area in seat_map.areas if area.price_category in self.categories]
        if area_key is not None:
            candidates = [area for area in candidates if area_key in (area.key, area.name)]
        if len(candidates) != 1:
            raise self._not_sold(
                "area", "name one area in which this ticket type is sold, or ask for seats or best_available"
            )
        area = candidates[0]
        return self._held(self.categories[area.price_category], quantity, area.key)

    def named(self, wanted: Sequence[str]) -> list[HeldItem]:
        """Take exactly the seats that were named, by key or label."""
        seat_map = self._seat_map("seats")
        indexes: list[int] = []
        for position, name in enumerate(wanted):
            index = seat_map.find_seat(name)
            if index is None or seat_map.seats[index].price_category not in self.categories:
                raise self._not_sold(f"seats[{position}]", "is not a seat that this ticket type is sold for")
            indexes.append(index)
        if len(set(indexes)) != len(indexes):
            raise self._not_sold("seats", "names a seat twice")
        taken = [name for name, i in zip(wanted, indexes, strict=True) if self.stock.seat_states[i] != 0]
        if taken:
            raise SeatTaken(seats=taken)
        return self._held_seats(seat_map, indexes)

    def best(self, wish: BestAvailable) -> list[HeldItem]:
        """Take the best seats that are left."""
        seat_map = self._seat_map("best_available")
        sections = {section.key for section in seat_map.sections} | {section.name for section in seat_map.sections}
        if wish.section is not None and wish.section not in sections:
            raise self._not_sold("best_available.section", "is not a section of this room")
        section = next((s.key for s in seat_map.sections if wish.section in (s.key, s.name)), None)
        chosen = self.stock.chooser.choose(
            wish.count,
            wish=SeatWish(
                categories=frozenset(self.categories),
                section=section,
                accessible=wish.accessible,
                companions=wish.companions,
            ),
        )
        if chosen is None:
            left = self._places_left() if section is None else None
            raise SoldOut(ticket_type_id=str(self.ticket_type.ticket_type_id), available=left)
        return self._held_seats(seat_map, chosen)

    def check_quotas(self, held: Iterable[HeldItem]) -> None:
        """Check that every quota has room for all of it."""
        counts: dict[UUID, int] = {}
        for item in held:
            for quota_id in item.quota_ids:
                counts[quota_id] = counts.get(quota_id, 0) + item.quantity
        for quota_id, count in counts.items():
            left = self.stock.counters[quota_id].available
            if left < count:
                raise SoldOut(ticket_type_id=str(self.ticket_type.ticket_type_id), available=max(left, 0))

    def _category_without_map(self, key: str | None) -> PriceCategory:
        if key is None and len(self.categories) == 1:
            return next(iter(self.categories.values()))
        found = self.categories.get(key or "")
        if found is None:
            raise self._not_sold("area", f"name one of {', '.join(sorted(self.categories))}")
        return found

    def _held(self, category: PriceCategory, quantity: int, area: str | None) -> HeldItem:
        return self._item(category, quantity, area, ())

    def _held_seats(self, seat_map: SeatMap, indexes: Sequence[int]) -> list[HeldItem]:
        by_category: dict[str, list[HeldSeat]] = {}
        for index in indexes:
            seat = seat_map.seats[index]
            by_category.setdefault(seat.price_category, []).append(HeldSeat(index, seat.key, seat.label))
        return [self._item(self.categories[key], len(seats), None, seats) for key, seats in by_category.items()]

    def _item(self, category: PriceCategory, quantity: int, area: str | None, seats: Sequence[HeldSeat]) -> HeldItem:
        quota_ids = [category.quota_id, *self.ticket_type.quota_ids]
        room = self.stock.area_quotas.get(area) if area is not None else None
        if room is not None:
            quota_ids.append(room)
        return HeldItem(
            ticket_type_id=self.ticket_type.ticket_type_id,
            ticket_type=self.ticket_type.name,
            price_category_id=category.price_category_id,
            price_category=category.name,
            area=area,
            quantity=quantity,
            seats=tuple(seats),
            price_minor=self.ticket_type.prices[category.price_category_id],
            quota_ids=tuple(dict.fromkeys(quota_ids)),
        )

    def _seat_map(self, field: str) -> SeatMap:
        if self.stock.seat_map is None or not self.stock.seat_map.seat_count:
            raise self._not_sold(field, "this session has no numbered seats; ask for a quantity")
        return self.stock.seat_map

    def _places_left(self) -> int:
        return sum(self.stock.counters[category.quota_id].available for category in self.categories.values())

    def _not_sold(self, field: str, message: str) -> NotSold:
        return NotSold(errors=[{"field": f"{self.place}.{field}", "message": message}])
