"""The first owner of an organization, made by whoever runs the program."""

from dataclasses import dataclass

from fullhouse.core.clock import Clock, Randomness
from fullhouse.core.ids import MakeId
from fullhouse.identity.ensure_user import ensure_user
from fullhouse.identity.rules import User
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.organizations.create_organization import create_organization
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.queries import find_owned_organization
from fullhouse.organizations.rules import ApiKey, NewApiKey, NewOrganization, Organization, Role, checked_name

ADMIN_KEY_NAME = "create-admin"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where new ids, instants and secrets come from."""

    make_id: MakeId
    clock: Clock
    randomness: Randomness


@dataclass(frozen=True, slots=True)
class Admin:
    """What was made, or found: the key alone is always new."""

    user: User
    organization: Organization
    api_key: ApiKey
    api_key_text: str
    """Shown now and never again."""


async def create_admin(pool: Pool, tools: Tools, email: str, organization_name: str) -> Admin:
    """Make a user, an organization that the user owns, and an owner's API key, all or none of them.

    A user with this address, and an organization of this name that the user owns, are taken as they are: whoever
    lost the key gets another by asking again. Raises ``Invalid`` for a bad address or name, and
    ``TooManyApiKeys``.
    """
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        user = await ensure_user(conn, tools.make_id, email)
        name = checked_name(organization_name)
        organization = await find_owned_organization(conn, user.user_id, name)
        if organization is None:
            new = NewOrganization(name=name, contact_email=user.email)
            organization = await create_organization(conn, tools.make_id, tools.clock, new, user.user_id)
        new_key = NewApiKey(name=ADMIN_KEY_NAME, role=Role.OWNER)
        key, text = await issue_api_key(conn, tools.make_id, tools.randomness, organization.organization_id, new_key)
    return Admin(user=user, organization=organization, api_key=key, api_key_text=text)
