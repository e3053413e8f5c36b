"""Every scenario by name, in the order in which ``fullhouse bench all`` runs them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fullhouse.operations.bench.bench import Bench
from fullhouse.operations.bench.figures import Section
from fullhouse.operations.bench.scenarios.buying import churn, pay_orders, purchase, scan
from fullhouse.operations.bench.scenarios.desk import desk
from fullhouse.operations.bench.scenarios.following import stream
from fullhouse.operations.bench.scenarios.growing import growth
from fullhouse.operations.bench.scenarios.machine import limits
from fullhouse.operations.bench.scenarios.reading import browse
from fullhouse.operations.bench.scenarios.rushing import rush
from fullhouse.operations.bench.scenarios.selling import best_available, onsale, seats, sold_out
from fullhouse.operations.bench.scenarios.trouble import overload, recovery

Scenario = Callable[[Bench], Awaitable[Section]]

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "limits": limits,
    "desk": desk,
    "onsale": onsale,
    "seats": seats,
    "best-available": best_available,
    "churn": churn,
    "sold-out": sold_out,
    "browse": browse,
    "pay": pay_orders,
    "scan": scan,
    "purchase": purchase,
    "stream": stream,
    "overload": overload,
    "rush": rush,
    "growth": growth,
    "recovery": recovery,
}
