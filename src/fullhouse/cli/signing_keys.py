"""Commands about the keys that sign access tokens."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import click

from fullhouse.cli.parts import existing_parts, load_settings
from fullhouse.identity.queries import StoredSigningKey, load_signing_keys
from fullhouse.identity.tokens.rotate_signing_keys import revoke_signing_key, rotate_signing_keys
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, transaction
from fullhouse.infra.resources import Resources, open_resources

_Keys = tuple[Sequence[StoredSigningKey], datetime]


@click.group("signing-keys")
def signing_keys() -> None:
    """Show and change the keys that sign access tokens. The worker changes them by age, by itself."""


@signing_keys.command("list")
def list_keys() -> None:
    """List the keys, oldest first, with what each does now."""

    async def nothing(_resources: Resources, _conn: Connection) -> None:
        return

    _tell(_run(nothing))


@signing_keys.command("rotate")
def rotate() -> None:
    """Publish the next key now; it signs in a quarter of an hour, when everybody knows it. No request fails."""

    async def rotate_now(resources: Resources, conn: Connection) -> None:
        await rotate_signing_keys(conn, resources.secret_key, resources.randomness)

    _tell(_run(rotate_now))


@signing_keys.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Take a key that others may know out of use at once. Tokens that it signed end within five seconds.

    Nobody has to sign in again: clients refresh their tokens, and go on.
    """

    async def revoke_now(resources: Resources, conn: Connection) -> None:
        if not await revoke_signing_key(conn, resources.secret_key, resources.randomness, key_id):
            raise OperatorError(f"there is no key {key_id}; 'fullhouse signing-keys list' shows them")

    _tell(_run(revoke_now))


def _run(change: Callable[[Resources, Connection], Awaitable[None]]) -> _Keys:
    async def run() -> _Keys:
        async with open_resources(settings.places(), application_name="fullhouse-signing-keys") as resources:
            await require_schema(resources.pool)
            async with transaction(resources.pool, NO_ORGANIZATION) as conn:
                await change(resources, conn)
                return await load_signing_keys(conn)

    with existing_parts(load_settings()) as settings:
        return asyncio.run(run())


def _tell(found: _Keys) -> None:
    keys, now = found
    signing = max((key.signs_from for key in keys if key.signs_from <= now), default=None)
    for key in keys:
        if key.signs_from > now:
            does = f"signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC"
        elif key.signs_from == signing:
            does = "signs"
        else:
            does = "verifies"
        until = f", verifies until {key.verifies_until:%Y-%m-%d %H:%M:%S} UTC" if key.verifies_until else ""
        click.echo(f"{key.key_id}  {does}{until}")
    if not keys:
        click.echo("There is no key yet; the first one is made when it is needed.")
