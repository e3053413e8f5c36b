"""Telling which role a user has in an organization."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.infra.postgres import OfUser, Pool, connection
from fullhouse.organizations.queries import load_membership, load_memberships
from fullhouse.organizations.rules import Membership, Role

REMEMBERED_SECONDS_MAX = 5
REMEMBERED_COUNT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _Seen:
    membership: Membership
    until: datetime


class Members:
    """The members that this process has seen in the last seconds, so that a request does not ask Postgres again.

    A role changed elsewhere is followed here at most five seconds later. Who is no member is asked about each time, so
    that a new member is let in at once.
    """

    def __init__(self, pool: Pool, clock: Clock) -> None:
        """Start with none."""
        self._pool = pool
        self._clock = clock
        self._seen: dict[tuple[UUID, UUID], _Seen] = {}

    async def find_member(self, organization_id: UUID, user_id: UUID) -> Membership | None:
        """Return a user's place in an organization, or None. Raises ``DatabaseUnavailable``."""
        now = self._clock()
        place = (organization_id, user_id)
        seen = self._seen.get(place)
        if seen is not None and now < seen.until:
            return seen.membership
        self._seen.pop(place, None)
        async with connection(self._pool, organization_id) as conn:
            membership = await load_membership(conn, organization_id, user_id)
        if membership is not None:
            while len(self._seen) >= REMEMBERED_COUNT_MAX:
                del self._seen[next(iter(self._seen))]
            self._seen[place] = _Seen(membership, now + timedelta(seconds=REMEMBERED_SECONDS_MAX))
        return membership

    async def find_role(self, organization_id: UUID, user_id: UUID) -> Role | None:
        """Return a user's role in an organization, or None for who is not a member."""
        membership = await self.find_member(organization_id, user_id)
        return None if membership is None else membership.role

    async def list_memberships(self, user_id: UUID) -> Sequence[Membership]:
        """Return all places of a user, the oldest organization first; never from memory."""
        async with connection(self._pool, OfUser(user_id)) as conn:
            return await load_memberships(conn, user_id)

    def forget(self, organization_id: UUID) -> None:
        """Ask Postgres again about everybody in an organization: a role or the rules for all have changed."""
        for place in [place for place in self._seen if place[0] == organization_id]:
            del self._seen[place]
