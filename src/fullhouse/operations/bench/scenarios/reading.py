"""Looking: the list of events, an event, what is available, and the page of a session, also when nothing changed."""

from fullhouse.operations.bench.bench import Bench, by_status, figure
from fullhouse.operations.bench.figures import Section, ratio
from fullhouse.operations.bench.stock import put_on_sale
from fullhouse.operations.bench.wire import Wire, request

SEATS = 20_000
OF_BARE = 0.5


async def browse(bench: Bench) -> Section:
    """People who look, and look again, while nothing is sold."""
    section = Section("browse", f"Pages and answers about events, and what is available of {SEATS:,} seats.")
    on_sale = await put_on_sale(bench.house.database, bench.organizer, seats=SEATS)
    api = "/api/v1"
    paths = {
        "list of events": f"{api}/events",
        "an event": f"{api}/events/{on_sale.event_id}",
        "availability": f"{api}/sessions/{on_sale.session_id}/availability",
        "page of an event": f"/events/{on_sale.event_id}",
    }
    bare: list[float] = []
    rates: dict[str, list[float]] = {}
    async with bench.connected(1) as (wire,):
        asks = {name: request("GET", path) for name, path in paths.items()}
        tag = await _tag(wire, asks["availability"])
    asks["availability, not changed (304)"] = request("GET", paths["availability"], (("if-none-match", tag),))
    for _ in range(bench.plan.rounds):
        bare.append(await bench.bare(b""))
        for name, ask in asks.items():
            rates.setdefault(name, []).append(await bench.capacity(lambda _, ask=ask: ask, by_status))
    limit = figure("bare handler", "/s", bare)
    section.figures += [limit, *(figure(name, "/s", values) for name, values in rates.items())]
    unchanged = section.figures[-1]
    section.ratios.append(ratio("availability that did not change over the bare handler", unchanged, limit, OF_BARE))
    return section


async def _tag(wire: Wire, ask: bytes) -> str:
    """Return the ETag of an answer; empty where it has none."""
    head = (await wire.fetch(ask)).head.decode(errors="replace")
    lines = [line.partition(":") for line in head.splitlines()]
    return next((value.strip() for name, _, value in lines if name.lower() == "etag"), "")
