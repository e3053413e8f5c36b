"""Ending a membership: by who may, or by the member."""

from collections.abc import Callable
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.members.queries import load_member
from fullhouse.organizations.members.writes import count_owners, delete_member
from fullhouse.organizations.rules import LastOwner, MemberNotFound, Role
from fullhouse.organizations.writes import lock_organization


async def remove_member(conn: Connection, organization_id: UUID, user_id: UUID, allow: Callable[[Role], None]) -> None:
    """Let somebody be a member no more. Two owners who leave at once go one after the other, so one stays.

    ``allow`` is asked with the role that the member has, under the lock, and raises where they may not be removed.
    Raises ``MemberNotFound``, ``LastOwner``.
    """
    await lock_organization(conn, organization_id)
    member = await load_member(conn, organization_id, user_id)
    if member is None:
        raise MemberNotFound
    allow(member.role)
    if member.role is Role.OWNER and await count_owners(conn, organization_id) == 1:
        raise LastOwner
    await delete_member(conn, organization_id, user_id)
    await record(conn, organization_id, Act("member.remove", "user", user_id, {"role": member.role.value}))
