"""The first owner, made on the command line."""

import asyncio
from uuid import uuid4

import pytest

from fullhouse.core.errors import Invalid
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.organizations.create_admin import Admin, Tools, create_admin
from fullhouse.organizations.find_api_key import ApiKeys
from fullhouse.organizations.queries import load_membership
from fullhouse.organizations.rules import Role

TOOLS = Tools(system.make_id, system.now, system.randomness)


def address() -> str:
    return f"ana.souza+{uuid4().hex}@example.org"


async def test_create_admin_makes_an_owner_whose_key_works(pool: Pool) -> None:
    email = address()
    admin = await create_admin(pool, TOOLS, email, "Teatro Aurora")
    assert (admin.user.email, admin.organization.name) == (email, "Teatro Aurora")
    async with connection(pool, admin.organization.organization_id) as conn:
        membership = await load_membership(conn, admin.organization.organization_id, admin.user.user_id)
    assert membership is not None
    assert membership.role is Role.OWNER
    found = await ApiKeys(pool, system.now).find_api_key(admin.api_key_text)
    assert found is not None
    assert (found.organization_id, found.role) == (admin.organization.organization_id, Role.OWNER)


async def test_asked_again_it_gives_another_key_to_the_same_owner(pool: Pool) -> None:
    email = address()
    first = await create_admin(pool, TOOLS, email, "Teatro Aurora")
    again = await create_admin(pool, TOOLS, email.upper(), " Teatro Aurora ")
    assert again.user == first.user
    assert again.organization == first.organization
    assert again.api_key_text != first.api_key_text
    other = await create_admin(pool, TOOLS, email, "Teatro Boreal")
    assert other.user == first.user
    assert other.organization.organization_id != first.organization.organization_id


async def test_two_at_once_make_one_user(pool: Pool) -> None:
    email = address()
    start = asyncio.Barrier(4)

    async def create(number: int) -> Admin:
        await start.wait()
        return await create_admin(pool, TOOLS, email, f"House {number}")

    made = await asyncio.gather(*(create(number) for number in range(4)))
    assert len({admin.user.user_id for admin in made}) == 1


@pytest.mark.parametrize("email", ["", "ana", "ana@example", "a b@example.org", "ana@example.org\nBcc: x@example.org"])
async def test_a_bad_address_makes_nothing(pool: Pool, email: str) -> None:
    name = f"House of {uuid4().hex}"
    with pytest.raises(Invalid) as refused:
        await create_admin(pool, TOOLS, email, name)
    assert refused.value.fields["errors"] == [{"field": "email", "message": "This is not a mail address."}]
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT count(*) FROM organizations WHERE name = $1", name) == 0


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b"])
async def test_a_bad_name_makes_nothing(pool: Pool, name: str) -> None:
    email = address()
    with pytest.raises(Invalid):
        await create_admin(pool, TOOLS, email, name)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 0
