"""``fullhouse refunds``: give back all that was sold of a session, and see how far that is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import click

from fullhouse.aftersales.retry_session_refund import retry_session_refund
from fullhouse.aftersales.session_refund_queries import list_failures, load_progress, load_session_refunds
from fullhouse.aftersales.session_refunds import Progress, RefundFailure, SessionRefundNotFound
from fullhouse.aftersales.start_session_refund import start_session_refund
from fullhouse.aftersales.work_session_refunds import work_session_refunds
from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.cli.progress import progress_bars
from fullhouse.core.actor import OPERATOR
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.directory import find_organization
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.postgres import connection, transaction
from fullhouse.infra.resources import Places, Resources, open_resources

_LOOK_SECONDS = 0.5
_FAILURES_SHOWN_MAX = 1000

Answer = TypeVar("Answer")
Session = Callable[[Resources, UUID], Awaitable[Answer]]


@click.group()
def refunds() -> None:
    """Refund all that was sold of a session, and follow it."""


@refunds.command()
@click.argument("session_id", type=click.UUID)
@click.option("--return-stock", is_flag=True, help="Put the places back on sale.")
def start(session_id: UUID, *, return_stock: bool) -> None:
    """Refund every paid order of a session that was cancelled, postponed or moved, and follow it to the end.

    Ctrl-C ends the following; the refund goes on wherever a worker runs.
    """

    async def begin(parts: Resources, organization_id: UUID) -> Progress:
        async with transaction(parts.pool, organization_id) as conn:
            await start_session_refund(
                conn, parts.make_id, organization_id, session_id, None, return_stock=return_stock
            )
        return await _follow(parts, organization_id, session_id)

    _say(_run(session_id, begin))


@refunds.command()
@click.argument("session_id", type=click.UUID)
def watch(session_id: UUID) -> None:
    """Show how far the newest refund of a session is, until it is over."""
    _say(_run(session_id, lambda parts, organization_id: _follow(parts, organization_id, session_id)))


@refunds.command()
@click.argument("session_id", type=click.UUID)
def failures(session_id: UUID) -> None:
    """List the orders that could not be refunded, and refunds that providers refused."""

    async def look(parts: Resources, organization_id: UUID) -> Sequence[RefundFailure]:
        async with connection(parts.pool, organization_id) as conn:
            return await list_failures(conn, organization_id, session_id, None, _FAILURES_SHOWN_MAX)

    found = _run(session_id, look)
    for failure in found:
        click.echo(f"{failure.order_id}  {failure.refund_id or '-':<36}  {failure.code}  {failure.detail}")
    if not found:
        click.echo("Nothing failed.")


@refunds.command()
@click.argument("session_id", type=click.UUID)
def retry(session_id: UUID) -> None:
    """Try again what failed, and follow it to the end."""

    async def again(parts: Resources, organization_id: UUID) -> Progress:
        async with transaction(parts.pool, organization_id) as conn:
            await retry_session_refund(conn, parts.make_id, organization_id, session_id)
        return await _follow(parts, organization_id, session_id)

    _say(_run(session_id, again))


async def _follow(parts: Resources, organization_id: UUID, session_id: UUID) -> Progress:
    """Refund beside the workers until no order waits, and show orders and money on their way in two bars."""
    with progress_bars() as bars:
        orders, money = bars.add_task("orders", total=None), bars.add_task("money back", total=None)
        while True:
            count = await work_session_refunds(parts.pool, parts.make_id, count_max=20)
            progress = await _progress(parts, organization_id, session_id)
            bars.update(orders, total=progress.order_count, completed=progress.order_count - progress.orders_waiting)
            ended = progress.refunds_succeeded + progress.refunds_failed
            bars.update(money, total=ended + progress.refunds_requested, completed=ended)
            if progress.is_over:
                return progress
            if not count:
                await asyncio.sleep(_LOOK_SECONDS)


async def _progress(parts: Resources, organization_id: UUID, session_id: UUID) -> Progress:
    async with connection(parts.pool, organization_id) as conn:
        found = await load_session_refunds(conn, organization_id, session_id)
        if not found:
            raise SessionRefundNotFound
        return await load_progress(conn, found[0])


def _say(progress: Progress) -> None:
    click.echo(
        f"{progress.orders_done} of {progress.order_count} orders refunded, {progress.refunds_succeeded} refunds done, "
        f"{progress.orders_failed + progress.refunds_failed} failed."
    )
    if progress.orders_failed + progress.refunds_failed:
        click.echo("See 'fullhouse refunds failures', and 'fullhouse refunds retry'.")


def _run(session_id: UUID, work: Session[Answer]) -> Answer:
    with existing_parts(load_settings()) as settings:
        return asyncio.run(_with_organization(settings.places(), session_id, work))


async def _with_organization(places: Places, session_id: UUID, work: Session[Answer]) -> Answer:
    async with open_resources(places, application_name="fullhouse-refunds") as resources:
        await require_schema(resources.pool)
        organization_id = await find_organization(resources.pool, "session", session_id)
        if organization_id is None:
            raise SessionNotFound
        with acting_as(OPERATOR):
            return await work(resources, organization_id)
