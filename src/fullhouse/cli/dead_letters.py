"""``fullhouse dead-letters``: what consumers could not deal with, and what becomes of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.core.actor import OPERATOR
from fullhouse.infra.audit_log import acting_as
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.dead_letters import (
    DeadLetter,
    discard_dead_letter,
    list_dead_letters,
    load_dead_letter,
    replay_dead_letter,
)
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.outbox_parked import OUTBOX, discard_parked, find_parked, list_parked, replay_parked
from fullhouse.infra.resources import Places, Resources, open_resources
from fullhouse.workers.subscriptions import QUEUES

NAMES = sorted({*QUEUES, OUTBOX})
"""The queues, and the outbox, where messages are parked that the broker refused."""

_LINE_LENGTH_MAX = 160

Answer = TypeVar("Answer")


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at messages that failed for good, and replay or discard them."""


@dead_letters.command("list")
@click.option("--queue", type=click.Choice(NAMES), help="Those of one queue alone.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
def list_letters(queue: str | None, limit: int) -> None:
    """List the dead letters that wait, the newest first."""
    letters = _run(lambda parts: _list(parts, queue, limit))
    for letter in letters:
        line = f"{letter.dead_letter_id}  {letter.failed_at:%Y-%m-%d %H:%M:%S}  {letter.queue}  {letter.reason}"
        click.echo(line if len(line) <= _LINE_LENGTH_MAX else line[: _LINE_LENGTH_MAX - 1] + "…")
    if not letters:
        click.echo("No dead letter waits.")


@dead_letters.command()
@click.argument("dead_letter_id", type=click.UUID)
def show(dead_letter_id: UUID) -> None:
    """Show one dead letter with its message."""
    letter = _run(lambda parts: _show(parts, dead_letter_id))
    for name in ("queue", "reason", "attempts", "failed_at", "resolution", "resolved_at"):
        value = getattr(letter, name)
        if value is not None:
            click.echo(f"{name:<12} {value}")
    click.echo(json.dumps(letter.body, indent=2, ensure_ascii=False))


@dead_letters.command()
@click.argument("dead_letter_ids", type=click.UUID, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that wait, oldest first.")
@click.option("--queue", type=click.Choice(NAMES), help="With --all: those of one queue alone.")
def replay(dead_letter_ids: tuple[UUID, ...], queue: str | None, *, everything: bool) -> None:
    """Put messages back into their queues, with fresh tries."""
    if everything == bool(dead_letter_ids):
        raise click.UsageError("give the ids of dead letters, or --all")

    async def replay_each(parts: Resources) -> list[DeadLetter]:
        ids = dead_letter_ids or await _waiting(parts, queue)
        broker = await _broker(parts)
        try:
            return [
                await replay_parked(parts.pool, one) or await replay_dead_letter(parts.pool, broker, one) for one in ids
            ]
        finally:
            await broker.close()

    for letter in _run(replay_each):
        click.echo(f"Put back into {letter.queue}: {letter.dead_letter_id}")


@dead_letters.command()
@click.argument("dead_letter_ids", type=click.UUID, nargs=-1, required=True)
def discard(dead_letter_ids: tuple[UUID, ...]) -> None:
    """Mark dead letters as dealt with; they are kept for three months."""

    async def discard_each(parts: Resources) -> list[DeadLetter]:
        return [
            await discard_parked(parts.pool, one) or await discard_dead_letter(parts.pool, one)
            for one in dead_letter_ids
        ]

    for letter in _run(discard_each):
        click.echo(f"Discarded: {letter.dead_letter_id}")


async def _waiting(parts: Resources, queue: str | None) -> list[UUID]:
    letters = await _list(parts, queue, 10_000)
    return [letter.dead_letter_id for letter in reversed(letters)]


async def _list(parts: Resources, queue: str | None, count_max: int) -> list[DeadLetter]:
    parked = await list_parked(parts.pool, count_max=count_max) if queue in {None, OUTBOX} else []
    dead = await list_dead_letters(parts.pool, queue=queue, count_max=count_max)
    return sorted([*parked, *dead], key=lambda letter: letter.failed_at, reverse=True)[:count_max]


async def _show(parts: Resources, dead_letter_id: UUID) -> DeadLetter:
    return await find_parked(parts.pool, dead_letter_id) or await load_dead_letter(parts.pool, dead_letter_id)


async def _broker(parts: Resources) -> Broker:
    broker = open_broker(parts.broker_url, pool=parts.pool, database_url=parts.database_url, make_id=parts.make_id)
    await broker.declare(QUEUES)
    return broker


def _run(work: Callable[[Resources], Awaitable[Answer]]) -> Answer:
    with existing_parts(load_settings()) as settings:
        return asyncio.run(_with_resources(settings.places(), work))


async def _with_resources(places: Places, work: Callable[[Resources], Awaitable[Answer]]) -> Answer:
    async with open_resources(places, application_name="fullhouse-dead-letters") as resources:
        await require_schema(resources.pool)
        with acting_as(OPERATOR):
            return await work(resources)
