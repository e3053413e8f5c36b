"""What the machine itself can do, beside everything that is measured on it."""

from fullhouse.operations.bench import limits as machine
from fullhouse.operations.bench.bench import Bench, figure
from fullhouse.operations.bench.figures import Section
from fullhouse.operations.bench.holds import hold_body
from fullhouse.operations.bench.stock import put_on_sale


async def limits(bench: Bench) -> Section:
    """Measure the bare handler, pgbench on the hot row and in batches, and the disk's fsync."""
    section = Section("limits", "The machine itself: what no product on it can pass.")
    bare, single, batches, syncs = list[float](), list[float](), list[float](), list[float]()
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    house, seconds = bench.house, bench.plan.seconds
    for _ in range(bench.plan.rounds):
        bare.append(await bench.bare(hold_body(on_sale, {"quantity": 1})))
        single.append(await bench.pgbench())
        bench.advance("pgbench in batches")
        batches.append(await machine.guarded_batches(house.database_url, house.folder, seconds))
        bench.advance("fsync")
        syncs.append(await machine.fsyncs(house.folder))
    section.figures += [
        figure("bare handler", "/s", bare),
        figure("pgbench, one guarded statement, 64 clients", "/s", single),
        figure("pgbench, 64 in a statement, one client", "/s", batches),
        figure("fsync of one page", "/s", syncs),
    ]
    return section
