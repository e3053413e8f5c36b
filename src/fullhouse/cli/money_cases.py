"""``fullhouse money-cases``: where a provider's books and ours differ, and what a person did about it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, get_args
from uuid import UUID

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.core.actor import OPERATOR
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.postgres import EVERY_ORGANIZATION, connection, transaction
from fullhouse.infra.resources import Places, Resources, open_resources
from fullhouse.payments.cases.resolve_case import Ending, resolve_case
from fullhouse.payments.money_cases import (
    MEANINGS,
    MoneyCase,
    MoneyCaseNotFound,
    Resolution,
    find_case,
    list_every_case,
)

RESOLUTIONS = get_args(Resolution)

Answer = TypeVar("Answer")


@click.group("money-cases")
def money_cases() -> None:
    """Look at money that only a person can put right, and close what was put right."""


@money_cases.command("list")
@click.option("--organization", type=click.UUID, help="Those of one organization alone.")
@click.option("--closed", is_flag=True, help="Those that were closed, in place of those that wait.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
def list_all(organization: UUID | None, limit: int, *, closed: bool) -> None:
    """List the cases that wait for a person, the oldest first."""

    async def look(parts: Resources) -> list[MoneyCase]:
        async with connection(parts.pool, organization or EVERY_ORGANIZATION) as conn:
            return await list_every_case(conn, organization, is_open=not closed, count_max=limit)

    found = _run(look)
    for case in found:
        click.echo(f"{case.case_id}  {case.opened_at:%Y-%m-%d %H:%M:%S}  {case.kind}  {case.provider}  {case.subject}")
    if not found:
        click.echo("No case was closed." if closed else "No case waits.")


@money_cases.command()
@click.argument("case_id", type=click.UUID)
def show(case_id: UUID) -> None:
    """Show one case, what its kind means, and what to look at."""

    async def look(parts: Resources) -> MoneyCase:
        return await _find(parts, case_id)

    case = _run(look)
    for name in (
        "kind",
        "provider",
        "subject",
        "detail",
        "organization_id",
        "order_id",
        "payment_id",
        "opened_at",
        "closed_at",
        "resolution",
        "reference",
    ):
        value = getattr(case, name)
        if value is not None:
            click.echo(f"{name:<16} {value}")
    click.echo(MEANINGS[case.kind])


@money_cases.command()
@click.argument("case_id", type=click.UUID)
@click.option("--resolution", type=click.Choice(RESOLUTIONS), required=True, help="How it was put right.")
@click.option("--reference", help="What proves it: a refund's name at the provider, a transfer's or paper's number.")
def close(case_id: UUID, resolution: Resolution, reference: str | None) -> None:
    """Close a case that was put right; the audit log keeps how. It stays closed, whatever is compared later.

    Of a case about a refund the ledger says how it ended: done by the provider after all (put_right_at_provider), paid
    to the buyer by cash or transfer (paid_back_otherwise), both with --reference; or not owed any more (forfeited).
    """

    async def end(parts: Resources) -> MoneyCase:
        case = await _find(parts, case_id)
        async with transaction(parts.pool, case.organization_id) as conn:
            ending = Ending(resolution, reference)
            return await resolve_case(conn, parts.make_id, case.organization_id, case_id, ending)

    case = _run(end)
    click.echo(f"Closed at {case.closed_at:%Y-%m-%d %H:%M:%S}: {case.case_id}")


async def _find(parts: Resources, case_id: UUID) -> MoneyCase:
    async with connection(parts.pool, EVERY_ORGANIZATION) as conn:
        case = await find_case(conn, case_id)
    if case is None:
        raise MoneyCaseNotFound
    return case


def _run(work: Callable[[Resources], Awaitable[Answer]]) -> Answer:
    with existing_parts(load_settings()) as settings:
        return asyncio.run(_with_resources(settings.places(), work))


async def _with_resources(places: Places, work: Callable[[Resources], Awaitable[Answer]]) -> Answer:
    async with open_resources(places, application_name="fullhouse-money-cases") as resources:
        await require_schema(resources.pool)
        with acting_as(OPERATOR):
            return await work(resources)
