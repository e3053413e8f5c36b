"""``fullhouse up``: everything on this machine with one command."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fullhouse.cli.listen import listen
from fullhouse.cli.parts import load_settings, start_embedded
from fullhouse.cli.processes import api_children, await_ready, with_address, worker_children
from fullhouse.cli.progress import waiting
from fullhouse.cli.supervise import StopRequests, Supervisor
from fullhouse.infra.embedded.sign_in import make_sign_in
from fullhouse.infra.migrate import migrate
from fullhouse.infra.resources import Places, open_resources
from fullhouse.settings import Settings

if TYPE_CHECKING:
    from fullhouse.operations.demo_data import DemoData


@click.command()
@click.option("--demo", is_flag=True, help="Add a demo organization with events on sale, and show its API keys.")
@click.option("--host", help="The address on which the API listens.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Its port.  [default: the first free one from 8000]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data folder.  [default: .data/fullhouse]")
@click.option("--workers", type=int, help="API processes.  [default: 1]")
def up(*, demo: bool, host: str | None, port: int | None, data_dir: Path | None, workers: int | None) -> None:
    """Run everything on this machine: database, Valkey, API and background worker.

    PostgreSQL and Valkey run as embedded servers in the data folder, unless FULLHOUSE_DATABASE_URL and
    FULLHOUSE_VALKEY_URL name others. Ctrl-C stops it all; the next start goes on where it was.
    """
    settings = load_settings(host=host, port=port, data_dir=data_dir, workers=workers)
    stop_requests = StopRequests()
    stop_requests.watch()
    supervisor = Supervisor(settings.drain_seconds + settings.shutdown_grace_seconds, stop_requests)
    with ExitStack() as stack:
        with waiting("Starting"):
            settings, data = _start(settings, supervisor, stack, demo=demo)
        try:
            _welcome(settings, data)
            supervisor.run()
        except KeyboardInterrupt:
            click.echo("Stopping: requests in flight are finished first. Ctrl-C again does not wait for them.")
    click.echo("Stopped.")


def _start(
    settings: Settings, supervisor: Supervisor, stack: ExitStack, *, demo: bool
) -> "tuple[Settings, DemoData | None]":
    """Start everything in order, so that the stack stops it in the opposite one."""
    listener = stack.enter_context(listen(settings.host, settings.port))
    settings, supervisor.servers = start_embedded(with_address(settings, listener), stack)
    settings = asyncio.run(_migrate(settings, is_embedded="PostgreSQL" in supervisor.servers))
    places = settings.places()
    stack.callback(supervisor.stop_children)
    for child in api_children(settings, listener):
        supervisor.add(child)
    # While they load, the demo's data is made or found.
    data = asyncio.run(_demo_data(places)) if demo else None
    await_ready(supervisor, listener)
    # Last, since nobody who opens a page waits for it, and the others would have waited for a processor.
    for child in worker_children(settings):
        supervisor.add(child)
    return settings, data


async def _migrate(settings: Settings, *, is_embedded: bool) -> Settings:
    """Bring the schema up to date as the owner of the tables, and return the settings for those who own nothing."""
    url = settings.places().database_url
    owner_url = url if is_embedded else settings.database_owner_url or settings.database_direct_url or url
    await migrate(owner_url)
    changes = {"database_url": await make_sign_in(owner_url)} if is_embedded else {}
    return settings.model_copy(update={**changes, "database_owner_url": None})


async def _demo_data(places: Places) -> "DemoData":
    from fullhouse.operations.demo_data import make_demo_data  # noqa: PLC0415  # most starts need none of it

    async with open_resources(places, application_name="fullhouse-demo-data") as resources:
        return await make_demo_data(resources)


def _welcome(settings: Settings, data: "DemoData | None") -> None:
    places = settings.places()
    lines = {
        "API and its pages": f"{places.public_url}/docs",
        "mailbox": places.mail_url if settings.mail_url is None else "",
        "data folder": str(settings.data_dir),
        "demo organization": str(data.organization_id) if data else "",
        "demo manager's key": data.manager_key if data else "",
        "demo scanner's key": data.scanner_key if data else "",
    }
    click.echo(f"Fullhouse is ready: {places.public_url}")
    for name, value in lines.items():
        if value:
            click.echo(f"  {name:<20}{value}")
    click.echo("Ctrl-C stops it; the next start goes on where it was.")
