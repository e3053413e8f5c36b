"""People with accounts, signed in without the work of hashing a password."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from fullhouse.access.accounts.parts import Accounts
from fullhouse.identity.ensure_user import ensure_user
from fullhouse.identity.give_tokens import give_tokens, open_family
from fullhouse.identity.rules import Client
from fullhouse.infra import system
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction
from fullhouse.web.edge import Edge

PASSWORD = "a long walk by the sea"
_numbers = count(1)


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    user_id: UUID
    family_id: UUID
    email: str
    access_token: str
    refresh_token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


def new_email(name: str = "ana") -> str:
    """Return an address that nobody in this database has."""
    return f"{name}.{next(_numbers)}.{system.random_text(6).lower()}@example.org"


def accounts_of(app: Edge) -> Accounts:
    accounts: Accounts = app.api.state.accounts
    return accounts


async def make_person(
    app: Edge, pool: Pool, email: str | None = None, *, verified: bool = True, second_factor: bool = False
) -> Person:
    """Make an account without a password, or take the one of the address, and sign in as its owner."""
    means = accounts_of(app).means
    async with transaction(pool, NO_ORGANIZATION) as conn:
        user = await ensure_user(conn, system.make_id, email or new_email(), "Ana Souza")
        if verified:
            await conn.execute(
                "UPDATE users SET email_verified_at = clock_timestamp() WHERE user_id = $1", user.user_id
            )
        family = await open_family(conn, means, user.user_id, Client("127.0.0.1"), second_factor=second_factor)
    tokens = await give_tokens(means, user.user_id, family)
    return Person(user.user_id, family[0], user.email, tokens.access_token, tokens.refresh_token)


async def family_of(pool: Pool, family_id: UUID) -> Any:
    async with connection(pool, NO_ORGANIZATION) as conn:
        return await conn.fetchrow("SELECT * FROM token_families WHERE family_id = $1", family_id)
