"""Commands that prepare a database."""

import asyncio

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.cli.progress import waiting
from fullhouse.core.actor import OPERATOR
from fullhouse.identity.open_link import make_link
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.migrate import migrate as run_migrations
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.postgres import NO_ORGANIZATION, transaction
from fullhouse.infra.resources import Places, open_resources
from fullhouse.organizations.create_admin import Admin, Tools
from fullhouse.organizations.create_admin import create_admin as make_admin


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version.

    Safe to run while the last version serves, and from several machines at once. 'fullhouse up' does it by itself.
    """
    with existing_parts(load_settings()) as settings, waiting("Migrating the database"):
        owner_url = settings.database_owner_url or settings.database_direct_url or settings.database_url or ""
        revisions = asyncio.run(run_migrations(owner_url))
    click.echo(f"The database was brought to revision {revisions[-1]}." if revisions else "The database is up to date.")


@click.command("create-admin")
@click.option("--email", required=True, help="The address of the person who will own the organization.")
@click.option("--organization", default="My organization", show_default=True, help="The name of the organization.")
def create_admin(email: str, organization: str) -> None:
    """Make an organization with its owner, an API key that may do everything in it, and a link to set a password.

    Key and link are shown once. Whoever lost them runs this again and gets others; organization and owner stay the
    same.
    """
    with existing_parts(load_settings()) as settings:
        admin, link = asyncio.run(_make_admin(settings.places(), email, organization))
    click.echo(f"organization  {admin.organization.organization_id}  {admin.organization.name}")
    click.echo(f"owner         {admin.user.email}")
    click.echo(f"API key       {admin.api_key_text}")
    click.echo(f"password      {link}")
    click.echo("Send the key as 'Authorization: Bearer <API key>'. It is shown now and never again.")
    click.echo("The link sets the owner's password, once, within an hour.")


async def _make_admin(places: Places, email: str, organization: str) -> tuple[Admin, str]:
    async with open_resources(places, application_name="fullhouse-create-admin") as resources:
        await require_schema(resources.pool)
        tools = Tools(make_id=resources.make_id, clock=resources.clock, randomness=resources.randomness)
        with acting_as(OPERATOR):
            admin = await make_admin(resources.pool, tools, email, organization)
        async with transaction(resources.pool, NO_ORGANIZATION) as conn:
            user_id = admin.user.user_id
            path = await make_link(conn, resources.make_id, resources.secret_key, "set_password", user_id)
    return admin, resources.public_url + path
