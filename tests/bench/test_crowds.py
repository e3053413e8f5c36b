"""Crowds by turns with what can be served: what swings in the machine stands in both."""

import pytest

from fullhouse.operations.bench.crowds import Came, Turns
from fullhouse.operations.bench.figures import Load, Section
from fullhouse.operations.bench.load import ACCEPTED, NOT_ANSWERED, TOLD_TO_WAIT
from fullhouse.operations.bench.visits import Visits

FAST, SLOW = (1.0,) * 7, (90.0,) * 7


def _load(name: str, counts: dict[str, int], refused: tuple[float, ...] = FAST) -> Load:
    return Load(name, 10.0, 1.0, counts, {ACCEPTED: FAST, TOLD_TO_WAIT: refused}, {})


class Machine:
    """A machine that serves 100 a second, then 80, then 60 and so on."""

    def __init__(self) -> None:
        """Begin as fast as it gets."""
        self.serves = 120.0
        self.came: list[tuple[str, float]] = []

    async def best(self) -> float:
        """Return what it serves now, which is less each time."""
        self.serves -= 20.0
        return self.serves

    async def come(self, name: str, per_second: float) -> Came:
        """Accept nine tenths of what it serves; leave somebody without an answer in the last round."""
        self.came.append((name, per_second))
        counts = {ACCEPTED: 8, TOLD_TO_WAIT: 1, NOT_ANSWERED: 1} if len(self.came) == 4 else {ACCEPTED: 9}
        beside = _load(f"{name}: the door", {ACCEPTED: 4})
        refused = SLOW if self.serves < 50 else FAST
        return Came([_load(name, counts, refused), beside], 0.9 * (self.serves - 10.0), f"note {len(self.came)}")


async def test_each_crowd_is_compared_with_what_could_be_served_before_and_after_it() -> None:
    machine, section = Machine(), Section("crowds", "")
    bests = await Turns("{} times", machine.best, machine.come, "answered, of all").compare(section, 2, (1.0, 2.5))
    assert bests == [100.0, 80.0, 60.0, 40.0, 20.0]
    assert machine.came == [("1 times", 100.0), ("2.5 times", 200.0), ("1 times", 60.0), ("2.5 times", 100.0)]
    found = {each.name: each for each in section.ratios}
    assert found["1 times: goodput over the best"].values == pytest.approx((0.9, 0.9))
    assert found["2.5 times: goodput over the best"].values == pytest.approx((0.9, 0.9))
    assert found["1 times: p99 of refusals, ms"].values == (1.0, 1.0)
    assert found["2.5 times: p99 of refusals, ms"].values == (1.0, 90.0)
    assert found["1 times: answered, of all"].values == (1.0, 1.0)
    assert found["2.5 times: answered, of all"].values == (1.0, 0.9)
    assert found["1 times: the door: answered well, of all"].is_reached


async def test_the_loads_of_the_last_round_are_kept() -> None:
    machine, section = Machine(), Section("crowds", "")
    await Turns("{} times", machine.best, machine.come, "answered, of all").compare(section, 2, (1.0, 2.0))
    assert [load.name for load in section.loads] == ["1 times", "1 times: the door", "2 times", "2 times: the door"]
    assert section.loads[2].counts == {ACCEPTED: 8, TOLD_TO_WAIT: 1, NOT_ANSWERED: 1}
    assert section.notes == ["note 3", "note 4"]


def test_a_rate_of_visits_counts_while_others_come_and_go() -> None:
    visits = Visits((0.4, 1.0, 1.5, 2.9, 3.0, 3.2), 3.2, 0)
    assert visits.done == 6
    assert visits.rate(1.0, 3.0) == pytest.approx(1.5)
