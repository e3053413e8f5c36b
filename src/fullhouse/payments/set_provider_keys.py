"""Setting an organization's keys for a provider: checked with the provider, sealed, and never shown again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.core.clock import Clock, Randomness
from fullhouse.core.errors import invalid_field
from fullhouse.core.json import Json
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection, Pool, Record, connection, transaction
from fullhouse.payments.providers.keyring import Keyring, KnownKeys, find_row, hint, known_of, with_secret
from fullhouse.payments.providers.port import Provider, ProviderInUse, ProviderKeys, ProviderKeysNotFound


@dataclass(frozen=True, slots=True)
class KeysChange:
    """What an owner sends; what is left out stays as it is. The first time both secrets are needed."""

    secret_key: str | None = None
    publishable_key: str | None = None
    webhook_secret: str | None = None
    previous_secret_seconds: int = 86_400
    """How long the webhook secret before this one is still believed."""

    @property
    def named(self) -> list[Json]:
        """Name what changes, without saying to what."""
        names = ("secret_key", "publishable_key", "webhook_secret")
        return [name for name in names if getattr(self, name) is not None]


@dataclass(frozen=True, slots=True)
class KeyMeans:
    """What setting keys needs besides the database."""

    keyring: Keyring
    clock: Clock
    randomness: Randomness


async def set_provider_keys(
    pool: Pool, means: KeyMeans, organization_id: UUID, provider: tuple[str, Provider], change: KeysChange
) -> KnownKeys:
    """Merge a change into an organization's keys, ask the provider whether it takes them, and seal them.

    The provider is asked before the transaction. Raises ``Invalid`` for what is no key, ``ProviderRefused`` for keys
    that the provider does not take, ``ProviderUnavailable``, and ``ProviderInUse`` for a change between keys of tests
    and keys that move money while money is on its way.
    """
    name, port = provider
    async with connection(pool, organization_id) as conn:
        row = await find_row(conn, organization_id, name)
    now = means.clock()
    before = means.keyring.open(row, now) if row else None
    keys = _merge(before, change)
    moves_money = await port.check_keys(keys)
    async with transaction(pool, organization_id) as conn:
        if row is not None and row["moves_money"] != moves_money:
            await refuse_if_in_use(conn, organization_id, name)
        until = row["previous_secret_until"] if row else None
        if change.webhook_secret is not None:
            until = now + timedelta(seconds=change.previous_secret_seconds)
        sealed = means.keyring.close(organization_id, name, keys, means.randomness)
        saved = await _save(conn, (organization_id, name), sealed, keys, (until, moves_money))
        details: dict[str, Json] = {"provider": name, "moves_money": moves_money, "fields": change.named}
        await record(conn, organization_id, Act("provider_keys.set", "organization", organization_id, details))
    means.keyring.forget(organization_id, name)
    return known_of(saved)


async def remove_provider_keys(pool: Pool, keyring: Keyring, organization_id: UUID, provider: str) -> None:
    """Forget an organization's keys: its buyers cannot pay with the provider any more.

    Raises ``ProviderKeysNotFound``, and ``ProviderInUse`` while money is on its way that needs them.
    """
    async with transaction(pool, organization_id) as conn:
        await refuse_if_in_use(conn, organization_id, provider)
        tag = await conn.execute(
            "DELETE FROM provider_keys WHERE organization_id = $1 AND provider = $2", organization_id, provider
        )
        act = Act("provider_keys.remove", "organization", organization_id, {"provider": provider})
        if tag != "DELETE 0":
            await record(conn, organization_id, act)
    keyring.forget(organization_id, provider)
    if tag == "DELETE 0":
        raise ProviderKeysNotFound


async def refuse_if_in_use(conn: Connection, organization_id: UUID, provider: str) -> None:
    """Raise ``ProviderInUse`` where a payment of the provider is open, or a refund is not done."""
    row = await conn.fetchrow(
        """
        SELECT count(*) FILTER (WHERE p.status = 'started') AS open_payments,
               count(*) FILTER (WHERE r.refund_id IS NOT NULL) AS open_refunds
        FROM payments p LEFT JOIN refunds r ON r.organization_id = p.organization_id
            AND r.payment_id = p.payment_id AND r.status = 'requested'
        WHERE p.organization_id = $1 AND p.provider = $2
          AND (p.status = 'started' OR r.refund_id IS NOT NULL)
        """,
        organization_id,
        provider,
    )
    if row is not None and (row["open_payments"] or row["open_refunds"]):
        raise ProviderInUse(open_payments=row["open_payments"], open_refunds=row["open_refunds"])


def _merge(before: ProviderKeys | None, change: KeysChange) -> ProviderKeys:
    if before is None:
        if change.secret_key is None:
            raise invalid_field("secret_key", "The first time it is needed.")
        if change.webhook_secret is None:
            raise invalid_field("webhook_secret", "The first time it is needed.")
        return ProviderKeys(change.secret_key, change.publishable_key, (change.webhook_secret,))
    keys = replace(
        before,
        secret_key=change.secret_key or before.secret_key,
        publishable_key=change.publishable_key or before.publishable_key,
    )
    return with_secret(keys, change.webhook_secret) if change.webhook_secret else keys


async def _save(
    conn: Connection, of: tuple[UUID, str], sealed: bytes, keys: ProviderKeys, terms: tuple[datetime | None, bool]
) -> Record:
    row = await conn.fetchrow(
        """
        INSERT INTO provider_keys (organization_id, provider, sealed, secret_key_hint, publishable_key,
                                   webhook_secret_hints, previous_secret_until, moves_money)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (organization_id, provider) DO UPDATE SET sealed = excluded.sealed,
            secret_key_hint = excluded.secret_key_hint, publishable_key = excluded.publishable_key,
            webhook_secret_hints = excluded.webhook_secret_hints, moves_money = excluded.moves_money,
            previous_secret_until = excluded.previous_secret_until, updated_at = clock_timestamp()
        RETURNING *
        """,
        *of,
        sealed,
        hint(keys.secret_key),
        keys.publishable_key,
        [hint(secret) for secret in keys.webhook_secrets],
        *terms,
    )
    assert row is not None  # noqa: S101 (an INSERT that returns gives a row or raises)
    return row
