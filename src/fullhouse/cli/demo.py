"""``fullhouse demo``: a crowd of buyers, from the first hold to the door, on servers of its own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from time import monotonic, sleep
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import click

from fullhouse.cli.listen import listen
from fullhouse.cli.parts import kept_secret_key
from fullhouse.cli.progress import progress_bars
from fullhouse.infra.errors import OperatorError

if TYPE_CHECKING:
    from fullhouse.operations.demo import DemoReport

READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
BUYERS_MAX = 5_000


@click.command()
@click.option("--buyers", type=click.IntRange(2, BUYERS_MAX), default=400, show_default=True, help="How many come.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Keep the data here.  [default: a folder removed after]"
)
def demo(*, buyers: int, data_dir: Path | None) -> None:
    """Let a crowd of buyers loose on a festival and a theatre, then scan every ticket.

    Starts servers of its own. Buyers pick seats, leave, decline, pay late, pay; each ticket is scanned from its QR
    picture (admitted) and from its PDF (already admitted). Then every promise is checked. Exits 1 if one is broken.
    """
    try:
        from fullhouse.operations.demo import DemoPlace, run_demo  # noqa: PLC0415  # needs the packages of [demo]
    except ImportError as missing:
        raise OperatorError(f"the demo needs the package {missing.name}: pip install 'fullhouse[demo]'") from missing
    folder = (data_dir or Path(".data") / f"demo-{os.getpid()}").absolute()
    with _running(folder, keep=data_dir is not None) as (url, key, scanner):
        with progress_bars() as bars:
            tasks = {"buyers": bars.add_task("Buyers", total=buyers), "tickets": bars.add_task("Tickets", total=None)}
            place = DemoPlace(url, scanner, key)
            report = asyncio.run(run_demo(place, buyers, lambda what, count: bars.advance(tasks[what], count)))
        clean = _verify(folder)
    _tell(report)
    click.echo("Every promise holds." if clean else "A promise is broken: see above.")
    sys.exit(0 if clean and not report.faults else 1)


def _tell(report: "DemoReport") -> None:
    for story, count in sorted(report.stories.items()):
        click.echo(f"{count:6}  {story}")
    click.echo(f"{report.tickets:6}  tickets scanned from picture and PDF: {json.dumps(dict(report.outcomes))}")
    for fault in report.faults:
        click.echo(f"fault: {fault}", err=True)


@contextmanager
def _running(folder: Path, *, keep: bool) -> Generator[tuple[str, str, str]]:
    """Run ``fullhouse up --demo`` in a folder; give its address, its demo organization and its scanner's key."""
    from fullhouse.operations.demo_data import demo_data_of  # noqa: PLC0415  # loads the whole sale

    with listen("127.0.0.1", None) as free:
        port = int(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "FULLHOUSE_SIMULATED_LATE_SECONDS": "3", "FULLHOUSE_RATE_LIMITS": "off"}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603  # this program itself
            [sys.executable, "-m", "fullhouse.cli.main", *_up_arguments(port, folder)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _await_ready(child, url, folder / "up.log")
            data = demo_data_of(kept_secret_key(folder).encode())
            yield url, str(data.organization_id), data.scanner_key
        finally:
            child.terminate()
            child.wait(STOP_SECONDS_MAX)
            if not keep:
                rmtree(folder, ignore_errors=True)


def _up_arguments(port: int, folder: Path) -> list[str]:
    return ["up", "--demo", "--port", str(port), "--data-dir", str(folder)]


def _await_ready(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = monotonic() + READY_SECONDS_MAX
    while monotonic() < until:
        if child.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise OperatorError(f"the demo's servers did not start: {' '.join(last)}")
        try:
            with urlopen(f"{url}/readyz", timeout=5):  # noqa: S310  # our own child on loopback
                return
        except (URLError, OSError):
            sleep(0.2)
    raise OperatorError(f"the demo's servers were not ready within {READY_SECONDS_MAX} seconds; see {log}")


def _verify(folder: Path) -> bool:
    command = [sys.executable, "-m", "fullhouse.cli.main", "verify", "--data-dir", str(folder)]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  # this program itself
