"""Recorded runs of a session: what its stock was at every version, and what a channel sent of it."""

from copy import deepcopy
from dataclasses import dataclass, field
from uuid import UUID

from harness.streams import State, state_of
from hypothesis import strategies as st
from reservations.test_decide import NOW, stock_of_room, terms

from fullhouse.realtime.changes import Watched, merge_changes, snapshot_json
from fullhouse.realtime.channel import Channel
from fullhouse.reservations.stock import StockChange

TERMS = terms()
QUOTAS = list(stock_of_room().counters)
SEATS = 18


@dataclass
class Run:
    """A channel that has sent some changes, and the state at each version on the way."""

    channel: Channel
    states: dict[int, State] = field(default_factory=dict[int, State])
    clock: list[float] = field(default_factory=lambda: [0.0])

    def step(self, changes: list[StockChange]) -> None:
        """Let some changes happen, and the channel send them together."""
        after = self.channel.version
        for change in changes:
            self.channel.watched.stock.apply(change)
            self.states[change.version] = self.now()
        self.channel.change(self.channel.watched, merge_changes(changes), after)

    def now(self) -> State:
        return state_of(deepcopy(snapshot_json(self.channel.watched)))  # pyright: ignore[reportArgumentType]


def begin() -> Run:
    clock = [0.0]
    watched = Watched(stock_of_room(), TERMS, 1, TERMS.on_sale_at(NOW))
    run = Run(Channel(watched, lambda: clock[0]), clock=clock)
    run.states[run.channel.version] = run.now()
    return run


Plan = list[list[tuple[dict[int, int], dict[UUID, tuple[int, int, int, int]]]]]
"""Groups of changes that are sent together: seats by their new state, and counters."""

numbers = st.integers(0, 8)
counters = st.dictionaries(st.sampled_from(QUOTAS), st.tuples(numbers, numbers, numbers, numbers), max_size=3)
seats = st.dictionaries(st.integers(0, SEATS - 1), st.integers(0, 3), max_size=8)
plans = st.lists(st.lists(st.tuples(seats, counters), min_size=1, max_size=4), min_size=1, max_size=6)


def record(plan: Plan) -> Run:
    """Let a plan happen."""
    run = begin()
    for group in plan:
        version = run.channel.version
        run.step(
            [
                StockChange(version + number, list(moved), list(moved.values()), counted)
                for number, (moved, counted) in enumerate(group, 1)
            ]
        )
    return run
