"""What an on-sale needs: processors, machines, connections and bandwidth, from what single acts were measured to cost.

Pure arithmetic, so that anybody may put in a crowd of their own. ``benchmarks/stadium.py`` measures the costs, and
compares what this says of a small on-sale with what that one took.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

WORK_SHARE: Final = 0.6
"""How busy a processor is planned to be: the rest is for what a plan does not know."""
CHANGES_A_SECOND: Final = 4
CONNECTIONS_OF_AN_API: Final = 20
CONNECTIONS_OF_A_WORKER: Final = 24
HEADROOM_OF_A_SESSION: Final = 0.8
"""Two processes that sell one session get at least this much of what one alone gets."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time of single acts in microseconds, and their answers in bytes.

    ``purchase`` is an order and its payment up to settled, ``issue`` what the worker does after it: tickets issued,
    rendered and mailed. ``holds_a_second`` is what one process commits on one session with nothing else to do.
    """

    page: float
    page_bytes: int
    look: float
    look_bytes: int
    hold_api: float
    hold_database: float
    hold_bytes: int
    refusal: float
    refusal_bytes: int
    purchase_api: float
    purchase_database: float
    issue_worker: float
    issue_database: float
    message: float
    message_bytes: int
    watcher_kilobytes: float
    holds_a_second: float


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who comes, and what they do: each reads the page once, looks and tries so many times; a share watches live."""

    buyers: int
    places: int
    seconds: float
    places_an_order: int = 2
    looks: int = 4
    tries: int = 3
    watching_share: float = 0.5
    busiest_minute_share: float = 0.4
    """How many of all come in the busiest minute: the first."""

    @property
    def winners(self) -> int:
        """How many get what they want."""
        return self.places // self.places_an_order

    def arrivals(self) -> float:
        """Return how many come in each second of the busiest minute."""
        return max(self.buyers * self.busiest_minute_share / 60, self.buyers / self.seconds)


STADIUM: Final = Crowd(buyers=500_000, places=60_000, seconds=600)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of act in the busiest minute, and the processors that it keeps busy: of the API, and of Postgres."""

    name: str
    rate: float
    api: float = 0.0
    database: float = 0.0
    worker: float = 0.0
    megabits: float = 0.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a crowd needs when it is busiest."""

    parts: tuple[Part, ...]
    api_processes: int
    database_cores: int
    worker_processes: int
    connections: int
    watchers: int
    watcher_gigabytes: float
    megabits: float
    selling_seconds: float
    """In what time everything is sold, if nobody hesitates: never faster than one session can be sold."""


def needs_of(crowd: Crowd, costs: Costs) -> Needs:
    """Work out what a crowd needs. Everything is sold in the first seconds, and nearly all tries are refused after."""
    arrivals = crowd.arrivals()
    tries = arrivals * crowd.tries
    hold_rate = min(tries, costs.holds_a_second * HEADROOM_OF_A_SESSION)
    selling_seconds = crowd.winners / hold_rate
    watchers = round(crowd.buyers * crowd.watching_share)
    messages = watchers * CHANGES_A_SECOND
    purchases = crowd.winners / crowd.seconds
    parts = (
        _part("the event's page", arrivals, costs.page, size=costs.page_bytes),
        _part("looking at what is left", arrivals * crowd.looks, costs.look, size=costs.look_bytes),
        _part("holds, while there is something", hold_rate, costs.hold_api, costs.hold_database, size=costs.hold_bytes),
        _part("refusals", tries, costs.refusal, size=costs.refusal_bytes),
        _part("changes to those who watch", messages, costs.message, size=costs.message_bytes),
        _part("orders and payments", purchases, costs.purchase_api, costs.purchase_database),
        Part(
            "tickets issued and mailed",
            purchases,
            database=purchases * costs.issue_database / 1e6,
            worker=purchases * costs.issue_worker / 1e6,
        ),
    )
    # Holds and refusals do not come at the same time: first the ones, then the others.
    api = sum(part.api for part in parts) - min(parts[2].api, parts[3].api)
    api_processes = ceil(api / WORK_SHARE)
    worker_processes = max(1, ceil(sum(part.worker for part in parts) / WORK_SHARE))
    return Needs(
        parts=parts,
        api_processes=api_processes,
        database_cores=ceil(sum(part.database for part in parts) / WORK_SHARE),
        worker_processes=worker_processes,
        connections=api_processes * CONNECTIONS_OF_AN_API + worker_processes * CONNECTIONS_OF_A_WORKER,
        watchers=watchers,
        watcher_gigabytes=watchers * costs.watcher_kilobytes / 1e6,
        megabits=sum(part.megabits for part in parts),
        selling_seconds=selling_seconds,
    )


def processor_seconds(counts: Mapping[str, int], costs: Costs) -> float:
    """Return what so many pages, looks, holds and refusals take of the API and Postgres together."""
    each = {
        "page": costs.page,
        "look": costs.look,
        "hold": costs.hold_api + costs.hold_database,
        "refusal": costs.refusal,
    }
    return sum(count * each[name] for name, count in counts.items()) / 1e6


def as_markdown(crowd: Crowd, needs: Needs, cores_of_a_machine: int = 16) -> str:
    """Write what is needed as a table and a few lines."""
    lines = [
        "| in the busiest minute | a second | API cores | Postgres cores | worker cores | Mbit/s |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {part.name} | {part.rate:,.0f} | {part.api:.2f} | {part.database:.2f} | {part.worker:.2f} "
        f"| {part.megabits:,.0f} |"
        for part in needs.parts
    ]
    minutes = crowd.seconds / 60
    machines = ceil((needs.api_processes + needs.worker_processes) / cores_of_a_machine)
    lines += [
        "",
        f"- {crowd.buyers:,} buyers, {crowd.places:,} places in orders of {crowd.places_an_order}, {minutes:g} minutes",
        f"- {needs.api_processes} API processes and {needs.worker_processes} of the worker, {WORK_SHARE:.0%} busy",
        f"- machines of {cores_of_a_machine} cores for them: {machines}",
        f"- cores for Postgres, as busy: {needs.database_cores}",
        f"- {needs.connections:,} connections to Postgres at most (a pooler makes fewer of them)",
        f"- {needs.watchers:,} open streams in {needs.watcher_gigabytes:.1f} GB of memory",
        f"- {needs.megabits:,.0f} Mbit/s out, before TLS and headers of the network",
        f"- everything is held after {needs.selling_seconds:.1f} s, if nobody hesitates",
    ]
    return "\n".join(lines) + "\n"


def _part(name: str, rate: float, api: float, database: float = 0.0, *, size: int = 0) -> Part:
    return Part(name, rate, rate * api / 1e6, rate * database / 1e6, megabits=rate * size * 8 / 1e6)
