"""``fullhouse privacy``: handing over, and erasing, what an organization keeps of a buyer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.core.actor import OPERATOR
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.postgres import transaction
from fullhouse.infra.resources import Places, Resources, open_resources
from fullhouse.privacy.erase_buyer import erase_buyer
from fullhouse.privacy.export_buyer import export_buyer
from fullhouse.tickets.mail_tickets import open_mailroom

Answer = TypeVar("Answer")


@click.group()
def privacy() -> None:
    """Hand over, or erase, what an organization keeps of a buyer."""


@privacy.command()
@click.option("--organization", "organization_id", type=click.UUID, required=True, help="The organization's id.")
@click.option("--email", required=True, help="The buyer's mail address, in any case of its letters.")
def export(organization_id: UUID, email: str) -> None:
    """Write all that the organization keeps of a buyer as JSON."""

    async def gather(parts: Resources) -> list[object]:
        async with transaction(parts.pool, organization_id) as conn:
            return [*(await export_buyer(conn, organization_id, email)).orders]

    orders = _run(gather)
    click.echo(json.dumps({"organization_id": str(organization_id), "orders": orders}, indent=2, ensure_ascii=False))


@privacy.command()
@click.option("--organization", "organization_id", type=click.UUID, required=True, help="The organization's id.")
@click.option("--email", required=True, help="The buyer's mail address, in any case of its letters.")
@click.option("--including-ahead", is_flag=True, help="Also orders of sessions that are still ahead.")
def erase(organization_id: UUID, email: str, *, including_ahead: bool) -> None:
    """Forget a buyer. Money, stock and tickets stay, without the person."""

    async def forget(parts: Resources) -> list[UUID]:
        mailroom = open_mailroom(parts)
        return await erase_buyer(parts.pool, mailroom, organization_id, email, including_ahead=including_ahead)

    order_ids = _run(forget)
    click.echo(f"Erased the buyer of {len(order_ids)} order{'' if len(order_ids) == 1 else 's'}.")


def _run(work: Callable[[Resources], Awaitable[Answer]]) -> Answer:
    with existing_parts(load_settings()) as settings:
        return asyncio.run(_with_resources(settings.places(), work))


async def _with_resources(places: Places, work: Callable[[Resources], Awaitable[Answer]]) -> Answer:
    async with open_resources(places, application_name="fullhouse-privacy") as resources:
        await require_schema(resources.pool)
        with acting_as(OPERATOR):
            return await work(resources)
