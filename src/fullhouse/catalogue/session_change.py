"""Deciding what a change makes of a session: its terms, the capacities that move, and new quotas. Pure but for ids."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from fullhouse.catalogue.rules import AboveRoom, SessionChange, TicketTypeChange
from fullhouse.catalogue.session_plan import SessionPlan, places_of
from fullhouse.core.ids import MakeId
from fullhouse.events.rules import SessionTerms, TicketType, status_after_change
from fullhouse.events.session_dates import SessionDates, dates_of, moved_by, with_dates
from fullhouse.reservations.rules import NewQuota
from fullhouse.reservations.stock import Counter
from fullhouse.seating.rules import SeatMap

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class CapacityChange:
    """A quota that gets another capacity, and the field of the body that says so."""

    quota_id: UUID
    capacity: int
    field: str


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a change comes to."""

    after: SessionTerms
    capacities: tuple[CapacityChange, ...]
    new_quotas: tuple[NewQuota, ...]


def plan_change(
    before: SessionTerms,
    counters: Mapping[UUID, Counter],
    seat_map: SeatMap | None,
    change: SessionChange,
    make_id: MakeId,
) -> ChangePlan:
    """Decide what a change makes of a session.

    Raises ``Invalid`` naming every field that makes no sense, and ``Conflict`` where state is in the way.
    """
    return _Change(before, counters, seat_map, change, make_id).plan()


class _Change:
    def __init__(
        self,
        before: SessionTerms,
        counters: Mapping[UUID, Counter],
        seat_map: SeatMap | None,
        change: SessionChange,
        make_id: MakeId,
    ) -> None:
        self.before = before
        self.counters = counters
        self.seat_map = seat_map
        self.change = change
        shared = {counter.name: quota_id for quota_id, counter in counters.items() if counter.kind == "shared"}
        self.work = SessionPlan(make_id, before.price_categories, before.ticket_types, shared)
        self.complaints = self.work.complaints
        self.capacities: list[CapacityChange] = []

    def plan(self) -> ChangePlan:
        self._change_categories()
        self._change_shared()
        self._change_areas()
        self._change_ticket_types()
        self.complaints.raise_if_any()
        after = with_dates(self._with_limits(), changed_dates(self.before, self.change))
        return ChangePlan(
            after=replace(
                after,
                status=status_after_change(self.before, after, self.change.status),
                price_categories=tuple(self.work.categories.values()),
                ticket_types=tuple(self.work.ticket_types),
            ),
            capacities=tuple(self.capacities),
            new_quotas=tuple(self.work.new_quotas),
        )

    def _with_limits(self) -> SessionTerms:
        before, change = self.before, self.change
        return replace(
            before,
            session_name=_or(change.name, before.session_name),
            hold_seconds=_or(change.hold_seconds, before.hold_seconds),
            per_order_max=_or(change.per_order_max, before.per_order_max),
            release_on_decline=_or(change.release_on_decline, before.release_on_decline),
            reseat_equal=_or(change.reseat_equal, before.reseat_equal),
            gates=before.gates if change.gates is None else tuple(change.gates),
        )

    def _change_categories(self) -> None:
        known = dict(self.work.categories)
        places = None if self.seat_map is None else places_of(self.seat_map)
        for number, wish in enumerate(self.change.price_categories):
            place = f"price_categories[{number}]"
            category = known.get(wish.key)
            if category is None:
                if places is not None:
                    self.complaints.add(f"{place}.key", f"The seat map has no price category {wish.key!r}.")
                continue
            self.work.categories[wish.key] = replace(category, name=wish.name or category.name)
            if wish.capacity is not None:
                room = None if places is None else places.counts[wish.key]
                self._set_capacity(f"{place}.capacity", category.quota_id, wish.capacity, room)
        if places is None:
            new = [(n, wish) for n, wish in enumerate(self.change.price_categories) if wish.key not in known]
            self.work.add_categories([wish for _, wish in new], [number for number, _ in new])

    def _change_shared(self) -> None:
        known = dict(self.work.shared)
        for number, wish in enumerate(self.change.quotas):
            if wish.name in known:
                self._set_capacity(f"quotas[{number}].capacity", known[wish.name], wish.capacity)
        self.work.add_shared([(n, wish) for n, wish in enumerate(self.change.quotas) if wish.name not in known])

    def _change_areas(self) -> None:
        quotas = {counter.name: quota_id for quota_id, counter in self.counters.items() if counter.kind == "area"}
        areas = {} if self.seat_map is None else self.seat_map.area_by_key
        for number, wish in enumerate(self.change.areas):
            if wish.name not in quotas or wish.name not in areas:
                self.complaints.add(f"areas[{number}].key", "The session has no area of this key.")
            else:
                room = areas[wish.name].capacity
                self._set_capacity(f"areas[{number}].capacity", quotas[wish.name], wish.capacity, room)

    def _change_ticket_types(self) -> None:
        for number, wish in enumerate(self.change.ticket_types):
            self._change_ticket_type(f"ticket_types[{number}]", wish)
        self.work.add_ticket_types(
            self.change.new_ticket_types, field="new_ticket_types", seated=self.seat_map is not None
        )

    def _change_ticket_type(self, place: str, wish: TicketTypeChange) -> None:
        types = self.work.ticket_types
        position = next((i for i, kind in enumerate(types) if kind.ticket_type_id == wish.ticket_type_id), None)
        if position is None:
            self.complaints.add(f"{place}.id", "The session has no ticket type of this id.")
            return
        kind = types[position]
        if wish.name is not None and any(wish.name == other.name for other in types if other is not kind):
            self.complaints.add(f"{place}.name", "There is a ticket type of this name already.")
        types[position] = replace(
            kind,
            name=_or(wish.name, kind.name),
            description=_or(wish.description, kind.description),
            per_order_max=None if wish.unlimited else _or(wish.per_order_max, kind.per_order_max),
            on_sale=_or(wish.on_sale, kind.on_sale),
            hidden=_or(wish.hidden, kind.hidden),
            prices=self._prices(place, kind, wish),
        )
        if wish.capacity is not None:
            self._set_type_capacity(place, kind, wish.capacity)

    def _prices(self, place: str, kind: TicketType, wish: TicketTypeChange) -> dict[UUID, int]:
        prices = self.work.prices_of(place, wish.prices, dict(kind.prices))
        if wish.price_minor is None:
            return prices
        if len(prices) != 1 or wish.prices:
            self.complaints.add(f"{place}.price_minor", "Give prices: this ticket type has not exactly one.")
            return prices
        return dict.fromkeys(prices, wish.price_minor)

    def _set_type_capacity(self, place: str, kind: TicketType, capacity: int) -> None:
        """Change the quota of the type's own: one that counts it alone, or that of a category made for it."""
        own = [quota_id for quota_id in kind.quota_ids if self.counters[quota_id].kind == "ticket_type"]
        if not own and self.seat_map is None:
            own = self._category_of_its_own(kind)
        if len(own) == 1:
            self._set_capacity(f"{place}.capacity", own[0], capacity)
        else:
            message = "This ticket type has no quota of its own; change that of its price category or a shared one."
            self.complaints.add(f"{place}.capacity", message)

    def _category_of_its_own(self, kind: TicketType) -> list[UUID]:
        others = {key for other in self.before.ticket_types if other is not kind for key in other.prices}
        categories = [c for c in self.before.price_categories if c.price_category_id in kind.prices]
        alone = len(categories) == 1 and categories[0].price_category_id not in others
        same_type = alone and any(kind.ticket_type_id == t.ticket_type_id for t in self.before.ticket_types)
        return [categories[0].quota_id] if same_type else []

    def _set_capacity(self, field: str, quota_id: UUID, capacity: int, room: int | None = None) -> None:
        if room is not None and capacity > room:
            raise AboveRoom(f"{field}: the room has {room} places there.", field=field, capacity=capacity, room=room)
        if any(one.quota_id == quota_id for one in self.capacities):
            self.complaints.add(field, "The same quota is named twice.")
        elif self.counters[quota_id].capacity != capacity:
            self.capacities.append(CapacityChange(quota_id, capacity, field))


def changed_dates(before: SessionTerms, change: SessionChange) -> SessionDates:
    """Return the dates after a change.

    Where only the start moves, the end and the doors move by the same distance on the clock; sales windows stay.
    """
    dates = dates_of(before)
    starts = change.dates.get("starts")
    if starts is not None:
        distance = starts.local - dates.starts.local
        dates = replace(
            dates,
            ends=moved_by(dates.ends, distance),
            entry_from=moved_by(dates.entry_from, distance),
            entry_until=moved_by(dates.entry_until, distance),
        )
    return replace(dates, time_zone=change.time_zone or dates.time_zone, **dict(change.dates))


def _or(wished: Value | None, before: Value) -> Value:
    return before if wished is None else wished
