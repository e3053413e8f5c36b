"""Telling who stands behind a Bearer credential, and what they may do in an organization.

An API key has its organization. A user may have several, so for a user the thing that is asked for decides.
"""

from functools import lru_cache
from uuid import UUID

from fullhouse.access.rules import (
    PERMISSIONS,
    Permission,
    SecondFactorRequired,
    ThingNotFound,
)
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.identity.find_signed_in import SignedIn, SignedInUsers, looks_like_token
from fullhouse.identity.tokens.signing_keys import SigningKeys
from fullhouse.infra import directory
from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.organizations.find_api_key import ApiKeys
from fullhouse.organizations.members.find_member import Members
from fullhouse.organizations.queries import StoredKey
from fullhouse.organizations.rules import Membership, OrganizationNotFound


class Actors:
    """What one process knows of those who ask: keys, users, members, and whose thing is whose."""

    def __init__(self, pool: Pool, api_keys: ApiKeys, members: Members, users: SignedInUsers) -> None:
        """Start with nobody."""
        self._pool = pool
        self.api_keys = api_keys
        self.members = members
        self.users = users

    async def find_bearer(self, text: str) -> Actor | SignedIn | None:
        """Return the actor of an API key, or the user of an access token: the form of the text decides.

        None for what is not known, or was revoked or has expired. Raises ``DatabaseUnavailable``.
        """
        if looks_like_token(text):
            return await self.users.find_signed_in(text)
        key = await self.api_keys.find_api_key(text)
        return None if key is None else actor_of_key(key)

    def peek_key(self, text: str) -> Actor | None:
        """Return the actor of an API key that was seen a moment ago; None where ``find_bearer`` has to look."""
        key = None if looks_like_token(text) else self.api_keys.peek(text)
        return None if key is None else actor_of_key(key)

    async def find_member(self, user: SignedIn, organization_id: UUID) -> Actor:
        """Return a user as the actor that they are in an organization.

        Raises ``OrganizationNotFound`` for who is no member, and ``SecondFactorRequired``.
        """
        membership = await self.members.find_member(organization_id, user.user_id)
        if membership is None:
            raise OrganizationNotFound
        return actor_of_member(user, membership)

    async def find_anywhere(self, user: SignedIn, permission: Permission) -> Actor | None:
        """Return a user as the actor that they are in their oldest organization where they have a permission."""
        for membership in await self.members.list_memberships(user.user_id):
            barred = membership.second_factor_required and not user.second_factor
            if permission in PERMISSIONS[membership.role] and not barred:
                return actor_of_member(user, membership)
        return None

    async def find_owner_of(self, kind: directory.Kind, thing_id: UUID) -> UUID:
        """Return whose thing it is. Raises ``ThingNotFound``."""
        found = await directory.find_organization(self._pool, kind, thing_id)
        if found is None:
            raise ThingNotFound(kind)
        return found


def open_actors(resources: Resources) -> Actors:
    """Start with nobody, on the parts of a process."""
    pool, clock = resources.pool, resources.clock
    keys = SigningKeys(pool, resources.secret_key, resources.public_url, clock, resources.randomness)
    return Actors(pool, ApiKeys(pool, clock), Members(pool, clock), SignedInUsers(pool, keys, clock))


@lru_cache(maxsize=10_000)
def actor_of_key(key: StoredKey) -> Actor:
    """Return what an API key may do: its role, narrowed down to its scopes."""
    allowed: frozenset[str] = PERMISSIONS[key.role]
    return Actor(
        kind=ActorKind.API_KEY,
        organization_id=key.organization_id,
        actor_id=key.api_key_id,
        label=f"api_key {key.api_key_id}",
        permissions=allowed if key.scopes is None else allowed & frozenset(key.scopes),
        session_ids=frozenset(key.session_ids),
        gates=frozenset(key.gates),
    )


def actor_of_member(user: SignedIn, membership: Membership) -> Actor:
    """Return what a user may do in an organization. Raises ``SecondFactorRequired``."""
    if membership.second_factor_required and not user.second_factor:
        raise SecondFactorRequired
    return Actor(
        kind=ActorKind.USER,
        organization_id=membership.organization_id,
        actor_id=user.user_id,
        label=f"user {user.user_id}",
        permissions=PERMISSIONS[membership.role],
        second_factor=user.second_factor,
    )
