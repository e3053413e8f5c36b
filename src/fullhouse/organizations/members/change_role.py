"""Changing a member's role."""

from collections.abc import Callable
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.members.queries import load_member
from fullhouse.organizations.members.writes import count_owners, set_role
from fullhouse.organizations.rules import LastOwner, Member, MemberNotFound, Role
from fullhouse.organizations.writes import lock_organization


async def change_role(
    conn: Connection, organization_id: UUID, user_id: UUID, role: Role, allow: Callable[[Role], None]
) -> Member:
    """Give a member another role; the same one again changes nothing.

    ``allow`` is asked with the role that the member has, under the lock, and raises where it may not be changed.
    Raises ``MemberNotFound``, and ``LastOwner`` where the only owner would be lowered.
    """
    await lock_organization(conn, organization_id)
    member = await load_member(conn, organization_id, user_id)
    if member is None:
        raise MemberNotFound
    allow(member.role)
    if member.role is Role.OWNER and role is not Role.OWNER and await count_owners(conn, organization_id) == 1:
        raise LastOwner
    if member.role is role:
        return member
    act = Act("member.change_role", "user", user_id, {"role": role.value, "before": member.role.value})
    await record(conn, organization_id, act)
    return await set_role(conn, member, role)
