"""What a benchmark found, as plain values: figures over several rounds, ratios to reach, and loads over time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

PERCENTILES: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, once a round. ``unit`` is written behind the number."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the rounds, which one odd round does not move."""
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure over another of the same rounds, and what it is to reach.

    ``is_most`` says that it is to stay below ``to_reach`` instead. Each value is of one round, so that what the
    machine did beside it in that round stands in both.
    """

    name: str
    values: tuple[float, ...]
    to_reach: float
    is_most: bool = False

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.values)

    @property
    def is_reached(self) -> bool:
        """Whether the median does what it should."""
        return self.median <= self.to_reach if self.is_most else self.median >= self.to_reach


def ratio(name: str, of: Figure, over: Figure, to_reach: float, *, is_most: bool = False) -> Ratio:
    """Compare two figures round by round."""
    pairs = zip(of.values, over.values, strict=True)
    return Ratio(name, tuple(one / other for one, other in pairs), to_reach, is_most)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests at a rate that does not wait for answers. Latencies count from when a request was due.

    ``latencies_ms`` gives ``PERCENTILES`` for each outcome; ``timeline`` the answers of each outcome in each second.
    """

    name: str
    offered_per_second: float
    seconds: float
    counts: Mapping[str, int]
    latencies_ms: Mapping[str, tuple[float, ...]]
    timeline: Mapping[str, tuple[int, ...]]

    def percentile(self, outcome: str, wanted: float) -> float:
        """Return a latency in milliseconds; 0 where nothing ended so."""
        found = self.latencies_ms.get(outcome)
        return percentile_of(found, wanted) if found else 0.0

    def rate(self, outcome: str, since_second: int = 0) -> float:
        """Return the answers of an outcome for each second of the load: what came after its end does not count.

        Nor what came before ``since_second``, of a longer load, where the first are still on their way.
        """
        whole = int(self.seconds)
        if whole <= since_second:
            return self.counts.get(outcome, 0) / self.seconds
        return sum(self.timeline.get(outcome, ())[since_second:whole]) / (whole - since_second)


@dataclass(frozen=True, slots=True)
class Curve:
    """A cost over a size: what it is to show is that it stays level. Those of one ``group`` are drawn together."""

    name: str
    x_name: str
    y_name: str
    points: Sequence[tuple[float, float]]
    group: str = ""


@dataclass(slots=True)
class Section:
    """What one scenario found. ``broken`` lists promises that did not hold afterwards: it must be empty."""

    name: str
    says: str
    figures: list[Figure] = field(default_factory=list[Figure])
    ratios: list[Ratio] = field(default_factory=list[Ratio])
    loads: list[Load] = field(default_factory=list[Load])
    curves: list[Curve] = field(default_factory=list[Curve])
    notes: list[str] = field(default_factory=list[str])
    broken: list[str] = field(default_factory=list[str])


def percentiles(sorted_values: Sequence[float]) -> tuple[float, ...]:
    """Return ``PERCENTILES`` of values in rising order, by the nearest rank; there is at least one value."""
    last = len(sorted_values) - 1
    return tuple(sorted_values[min(last, round(share / 100 * last))] for share in PERCENTILES)


def p99_of(values: Iterable[float]) -> float:
    """Return the 99th percentile of values in any order; 0 where there are none."""
    ordered = sorted(values)
    return percentile_of(percentiles(ordered), 99.0) if ordered else 0.0


def percentile_of(found: Sequence[float], wanted: float) -> float:
    """Return one of ``PERCENTILES`` from what ``percentiles`` gave."""
    return found[PERCENTILES.index(wanted)]
