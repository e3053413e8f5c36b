"""``fullhouse bench``: measure the product on this machine, beside what the machine itself can do."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import uvloop

from fullhouse.cli.progress import progress_bars
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.open_files import allow_many_files

if TYPE_CHECKING:
    from fullhouse.operations.bench.run import Report

NAMES = {
    "limits": "what the machine can do: bare handler, pgbench, fsync",
    "desk": "holds at the function, without HTTP",
    "onsale": "general admission on one hot session",
    "seats": "chosen pairs of 20,000 seats",
    "best-available": "the best pair, until the room is full",
    "churn": "nine of ten holds are given back",
    "sold-out": "what a refusal costs",
    "browse": "lists, events, availability",
    "pay": "orders paid at once",
    "scan": "tickets at the door",
    "purchase": "from the hold to the mail",
    "stream": "thousands who follow the sale",
    "overload": "up to ten times what the machine can do",
    "rush": "up to four times as many buyers as can be served",
    "growth": "larger rooms, more sessions, old rows, more processes",
    "recovery": "kill -9 of each part in full load",
}
"""The scenarios and what they are, as the catalogue has them; named here so that ``--help`` loads none."""


@click.command(
    epilog="Scenarios: " + "; ".join(f"{name}: {says}" for name, says in NAMES.items()) + "; all: every one of them."
)
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option("--seconds", type=click.FloatRange(1, 600), default=5.0, show_default=True, help="Length of each load.")
@click.option("--rounds", type=click.IntRange(1, 50), default=3, show_default=True, help="Limit and subject by turns.")
@click.option("--connections", type=click.IntRange(1, 10_000), default=128, show_default=True, help="Of the crowd.")
@click.option("--rows", type=click.IntRange(1, 100_000_000), default=1_000_000, show_default=True, help="Of growth.")
@click.option("--report", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write it down there.")
def bench(
    *, scenarios: Sequence[str], seconds: float, rounds: int, connections: int, rows: int, folder: Path | None
) -> None:
    """Measure scenarios, or 'all', on servers of their own.

    Prints figures, ratios to what the machine can do in the same run, and latencies counted from when a request was
    due; checks every promise afterwards, and exits 1 if one is broken. --report DIR writes Markdown, JSON and pictures.
    """
    names = _chosen(scenarios)
    try:
        from fullhouse.operations.bench.bench import Plan  # noqa: PLC0415  # needs the packages of [bench]
        from fullhouse.operations.bench.report import as_text  # noqa: PLC0415  # the same
        from fullhouse.operations.bench.run import run  # noqa: PLC0415  # the same

        import_module("msgspec")
    except ImportError as missing:
        raise OperatorError(f"it needs the package {missing.name}: pip install 'fullhouse[bench]'") from missing
    allow_many_files()
    plan = Plan(seconds=seconds, rounds=rounds, connections=connections, rows_before=rows)
    with progress_bars() as bars:
        task = bars.add_task("Starting", total=None)
        report = uvloop.run(run(names, plan, lambda step: bars.update(task, description=step)))
    for section in report.sections:
        click.echo(as_text(section))
    if folder is not None:
        write_report(report, folder)
    sys.exit(1 if report.broken else 0)


def _chosen(scenarios: Sequence[str]) -> Sequence[str]:
    """Return the scenarios that were named, in their order. Raises ``OperatorError`` for what is none."""
    unknown = sorted({*scenarios} - {*NAMES, "all"})
    if unknown:
        raise OperatorError(f"there is no scenario {', '.join(unknown)}; there are {', '.join(NAMES)}, and all")
    return tuple(NAMES) if "all" in scenarios else tuple(name for name in NAMES if name in scenarios)


def write_report(report: "Report", folder: Path) -> None:
    """Write a run as Markdown, JSON and pictures into a folder."""
    from fullhouse.operations.bench.report import as_json, as_markdown  # noqa: PLC0415  # was loaded above

    try:
        from fullhouse.operations.bench.plots import draw  # noqa: PLC0415  # needs the packages of [bench]
    except ImportError as missing:
        raise OperatorError(f"pictures need the package {missing.name}: pip install 'fullhouse[bench]'") from missing
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw(report, folder)
    (folder / "report.md").write_text(as_markdown(report, pictures), encoding="utf-8")
    (folder / "report.json").write_text(as_json(report), encoding="utf-8")
    click.echo(f"written to {folder}")
