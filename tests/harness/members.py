"""People who sign in, and the organizations that they work for."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from fullhouse.identity.ensure_user import ensure_user
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.organizations import writes
from fullhouse.organizations.rules import Role


@dataclass(frozen=True)
class Person:
    """A user, as their token tells them."""

    user_id: UUID
    email: str
    token: str
    email_verified: bool = True
    second_factor: bool = False

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class People:
    """Users, told by tokens that stand in memory."""

    pool: Pool
    by_token: dict[str, Person] = field(default_factory=dict[str, Person])

    async def find_signed_in(self, token: str) -> Person | None:
        return self.by_token.get(token)

    async def sign_in(self, *, email: str | None = None, verified: bool = True, second_factor: bool = False) -> Person:
        async with transaction(self.pool, EVERY_ORGANIZATION) as conn:
            user = await ensure_user(conn, system.make_id, email or f"ana.souza+{uuid4().hex}@example.org")
        person = Person(user.user_id, user.email, f"a.{uuid4().hex}.b", verified, second_factor)
        self.by_token[person.token] = person
        return person

    async def join(self, organization_id: UUID, role: str, *, second_factor: bool = False) -> Person:
        """Make a user a member."""
        person = await self.sign_in(second_factor=second_factor)
        await self.add(person, organization_id, role)
        return person

    async def add(self, person: Person, organization_id: UUID, role: str) -> None:
        async with transaction(self.pool, EVERY_ORGANIZATION) as conn:
            await writes.insert_member(conn, organization_id, person.user_id, Role(role))
