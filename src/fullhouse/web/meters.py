"""How many requests were answered and how long they took: plain numbers, made into metrics when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType] (it takes any number)

from fullhouse.infra.telemetry import REGISTRY, SECONDS

_BOUNDS: Final = [floatToGoString(bound) for bound in (*SECONDS, float("inf"))]


class _Times:
    """How long requests of one method and route took."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(_BOUNDS)
        self.total = 0.0


class Meter:
    """Counts the requests of one method, route and status."""

    __slots__ = ("_times", "count")

    def __init__(self, times: _Times) -> None:
        """Begin at none; the times are those of all statuses."""
        self.count = 0
        self._times = times

    def note(self, seconds: float) -> None:
        """Count a request that took so long."""
        self.count += 1
        times = self._times
        times.total += seconds
        times.counts[bisect_left(SECONDS, seconds)] += 1


class Meters(Collector):
    """The meters of one process. Methods, templates of routes and statuses are few."""

    def __init__(self) -> None:
        """Begin with none."""
        self._meters: dict[tuple[str, str, int], Meter] = {}
        self._times: dict[tuple[str, str], _Times] = {}

    def of(self, method: str, route: str, status: int) -> Meter:
        """Return the meter of a method, the template of a route, and a status."""
        found = self._meters.get((method, route, status))
        if found is None:
            times = self._times.setdefault((method, route), _Times())
            found = self._meters[method, route, status] = Meter(times)
        return found

    def collect(self) -> Iterator[Metric]:
        """Write them as metrics."""
        requests = CounterMetricFamily(
            "fullhouse_http_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        for (method, route, status), meter in self._meters.items():
            requests.add_metric([method, route, str(status)], meter.count)
        yield requests
        seconds = HistogramMetricFamily(
            "fullhouse_http_request_seconds", "From the request to the end of its answer.", labels=["method", "route"]
        )
        for labels, times in self._times.items():
            buckets = list(zip(_BOUNDS, accumulate(times.counts), strict=True))
            seconds.add_metric(labels, buckets, sum_value=times.total)
        yield seconds


METERS: Final = Meters()
REGISTRY.register(METERS)
