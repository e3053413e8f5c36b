"""People who are signed in, and the organizations that they work for."""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.organizations import writes
from fullhouse.organizations.rules import Role
from fullhouse.web.edge import Edge
from harness.people import Person, make_person

__all__ = ["People", "Person"]


@dataclass(frozen=True)
class People:
    """Makes people with accounts, and members of them."""

    app: Edge
    pool: Pool

    async def sign_in(self, *, email: str | None = None, verified: bool = True, second_factor: bool = False) -> Person:
        """Sign somebody in who works for nobody yet."""
        return await make_person(self.app, self.pool, email, verified=verified, second_factor=second_factor)

    async def join(self, organization_id: UUID, role: str, *, second_factor: bool = False) -> Person:
        """Sign somebody in who is a member."""
        person = await self.sign_in(second_factor=second_factor)
        await self.add(person, organization_id, role)
        return person

    async def add(self, person: Person, organization_id: UUID, role: str) -> None:
        """Make somebody a member of another organization."""
        async with transaction(self.pool, organization_id) as conn:
            await writes.insert_member(conn, organization_id, person.user_id, Role(role))
