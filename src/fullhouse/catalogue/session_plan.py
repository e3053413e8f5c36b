"""Turning what an organizer asks for into price categories, ticket types, prices and quotas. Pure but for new ids."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.catalogue.rules import Complaints, NamedCapacity, PriceCategoryWish, PriceWish, TicketTypeWish
from fullhouse.core.ids import MakeId
from fullhouse.events.rules import PRICE_CATEGORIES_MAX, TICKET_TYPES_MAX, PriceCategory, TicketType
from fullhouse.reservations.rules import NewQuota
from fullhouse.seating.rules import SeatMap

_OWN_KEY = "ticket-type-{}"


@dataclass(frozen=True, slots=True)
class Places:
    """How many places a map has in each price category."""

    names: dict[str, str]
    counts: Counter[str]


def places_of(seat_map: SeatMap) -> Places:
    """Count the seats and the standing places of each price category of a map."""
    counts = Counter(seat.price_category for seat in seat_map.seats)
    for area in seat_map.areas:
        counts[area.price_category] += area.capacity
    return Places({category.key: category.name for category in seat_map.price_categories}, counts)


class SessionPlan:
    """The price categories, ticket types and quotas of a session while they are put together.

    Begins with what a session has (nothing, for a new one). What is wrong is noted in ``complaints``; the caller
    raises when all has been said.
    """

    def __init__(
        self,
        make_id: MakeId,
        categories: Sequence[PriceCategory] = (),
        ticket_types: Sequence[TicketType] = (),
        shared: dict[str, UUID] | None = None,
    ) -> None:
        """Begin with the categories, types and shared quotas (by name) that are there."""
        self.complaints = Complaints()
        self.categories = {category.key: category for category in categories}
        self.ticket_types = list(ticket_types)
        self.shared = dict(shared or {})
        self.new_quotas: list[NewQuota] = []
        self._make_id = make_id

    def take_seat_map(self, seat_map: SeatMap, wishes: Sequence[PriceCategoryWish]) -> None:
        """Add all price categories of a map, with the names and lower capacities that were wished, and its areas."""
        places = places_of(seat_map)
        wished = self._unique(wishes)
        for number, wish in enumerate(wishes):
            place = f"price_categories[{number}]"
            if wish.key not in places.names:
                self.complaints.add(f"{place}.key", f"The seat map has no price category {wish.key!r}.")
            elif wish.capacity is not None and wish.capacity > places.counts[wish.key]:
                count = places.counts[wish.key]
                self.complaints.add(f"{place}.capacity", f"The seat map has {count} places in this price category.")
        for key, name in places.names.items():
            wish = wished.get(key, PriceCategoryWish(key))
            capacity = places.counts[key] if wish.capacity is None else wish.capacity
            self._add_category(key, wish.name or name, capacity)
        self.new_quotas.extend(NewQuota(self._make_id(), "area", area.key, area.capacity) for area in seat_map.areas)

    def add_categories(self, wishes: Sequence[PriceCategoryWish], numbers: Sequence[int] | None = None) -> None:
        """Add price categories of a session without a seat map. ``numbers`` are their places in the body."""
        self._unique(wishes)
        for number, wish in zip(numbers or range(len(wishes)), wishes, strict=True):
            if wish.capacity is None:
                self.complaints.add(f"price_categories[{number}].capacity", "Say how many places there are.")
            elif wish.key not in self.categories:
                self._add_category(wish.key, wish.name or wish.key, wish.capacity)

    def add_shared(self, wishes: Sequence[tuple[int, NamedCapacity]]) -> None:
        """Add quotas that several ticket types draw on, with their places in the body."""
        for number, wish in wishes:
            if wish.name in self.shared:
                self.complaints.add(f"quotas[{number}].name", "There is a quota of this name already.")
                continue
            self.shared[wish.name] = self._add_quota(NewQuota(self._make_id(), "shared", wish.name, wish.capacity))

    def add_ticket_types(self, wishes: Sequence[TicketTypeWish], *, field: str, seated: bool) -> None:
        """Add the ticket types of one field of the body."""
        names = {ticket_type.name for ticket_type in self.ticket_types}
        for number, wish in enumerate(wishes):
            place = f"{field}[{number}]"
            if wish.name in names:
                self.complaints.add(f"{place}.name", "There is a ticket type of this name already.")
            names.add(wish.name)
            self._add_ticket_type(place, wish, seated=seated)
        if len(self.ticket_types) > TICKET_TYPES_MAX:
            self.complaints.add(field, f"A session has at most {TICKET_TYPES_MAX} ticket types.")
        if len(self.categories) > PRICE_CATEGORIES_MAX:
            self.complaints.add("price_categories", f"A session has at most {PRICE_CATEGORIES_MAX} price categories.")

    def prices_of(self, place: str, wishes: Sequence[PriceWish], before: dict[UUID, int]) -> dict[UUID, int]:
        """Return prices by price category id: those before, changed as wished."""
        prices = dict(before)
        seen: set[str] = set()
        for number, wish in enumerate(wishes):
            category = self.categories.get(wish.price_category)
            field = f"{place}.prices[{number}].price_category"
            if category is None:
                self.complaints.add(field, f"The session has no price category {wish.price_category!r}.")
            elif wish.price_category in seen:
                self.complaints.add(field, "This price category has a price in this list already.")
            elif wish.price_minor is None:
                prices.pop(category.price_category_id, None)
            else:
                prices[category.price_category_id] = wish.price_minor
            seen.add(wish.price_category)
        return prices

    def _add_ticket_type(self, place: str, wish: TicketTypeWish, *, seated: bool) -> None:
        quota_ids = self._shared_ids(place, wish.quotas)
        if wish.price_minor is not None:
            prices = self._own_category(place, wish, seated=seated)
        else:
            if not wish.prices:
                self.complaints.add(f"{place}.prices", "Give prices, or price_minor and capacity alone.")
            prices = self.prices_of(place, wish.prices, {})
            if wish.capacity is not None:
                own = NewQuota(self._make_id(), "ticket_type", wish.name, wish.capacity)
                quota_ids = (self._add_quota(own), *quota_ids)
        self.ticket_types.append(
            TicketType(
                ticket_type_id=self._make_id(),
                name=wish.name,
                description=wish.description,
                per_order_max=wish.per_order_max,
                on_sale=wish.on_sale,
                hidden=wish.hidden,
                quota_ids=quota_ids,
                prices=prices,
            )
        )

    def _own_category(self, place: str, wish: TicketTypeWish, *, seated: bool) -> dict[UUID, int]:
        """Make the price category and quota of a ticket type that has only a price and a capacity."""
        if wish.prices:
            self.complaints.add(f"{place}.price_minor", "Give either price_minor with capacity, or prices.")
        elif seated:
            self.complaints.add(f"{place}.price_minor", "With a seat map, give prices in its price categories.")
        elif wish.capacity is None:
            self.complaints.add(f"{place}.capacity", "price_minor alone needs a capacity; or give prices.")
        elif wish.price_minor is not None:
            number = len(self.categories) + 1
            while _OWN_KEY.format(number) in self.categories:
                number += 1
            category = self._add_category(_OWN_KEY.format(number), wish.name, wish.capacity)
            return {category.price_category_id: wish.price_minor}
        return {}

    def _shared_ids(self, place: str, names: Sequence[str]) -> tuple[UUID, ...]:
        for number, name in enumerate(names):
            if name not in self.shared:
                self.complaints.add(f"{place}.quotas[{number}]", f"The session has no shared quota {name!r}.")
        return tuple(dict.fromkeys(self.shared[name] for name in names if name in self.shared))

    def _add_category(self, key: str, name: str, capacity: int) -> PriceCategory:
        quota_id = self._add_quota(NewQuota(self._make_id(), "category", key, capacity))
        category = PriceCategory(self._make_id(), key, name, quota_id)
        self.categories[key] = category
        return category

    def _add_quota(self, quota: NewQuota) -> UUID:
        self.new_quotas.append(quota)
        return quota.quota_id

    def _unique(self, wishes: Sequence[PriceCategoryWish]) -> dict[str, PriceCategoryWish]:
        by_key: dict[str, PriceCategoryWish] = {}
        for number, wish in enumerate(wishes):
            if wish.key in by_key:
                self.complaints.add(f"price_categories[{number}].key", "This key stands in the list already.")
            by_key[wish.key] = wish
        return by_key
