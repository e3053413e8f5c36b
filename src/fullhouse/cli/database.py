"""Commands that prepare a database."""

import asyncio

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.cli.progress import waiting
from fullhouse.infra.migrate import migrate as run_migrations


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version.

    Safe to run while the last version serves, and from several machines at once. 'fullhouse up' does it by itself.
    """
    with existing_parts(load_settings()) as settings, waiting("Migrating the database"):
        owner_url = settings.database_owner_url or settings.database_url or ""
        revisions = asyncio.run(run_migrations(owner_url))
    click.echo(f"The database was brought to revision {revisions[-1]}." if revisions else "The database is up to date.")
