"""Making an organization, with its first owner."""

from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.rules import NewOrganization, Organization, Role, checked_name
from fullhouse.organizations.writes import insert_member, insert_organization


async def create_organization(
    conn: Connection, make_id: MakeId, clock: Clock, new: NewOrganization, owner_id: UUID | None
) -> Organization:
    """Make an organization; the user, if one is given, becomes its owner. Raises ``Invalid`` for a bad name."""
    organization = Organization(
        organization_id=make_id(),
        name=checked_name(new.name),
        contact_email=new.contact_email,
        language=new.language,
        created_at=clock(),
    )
    await insert_organization(conn, organization)
    if owner_id is not None:
        await insert_member(conn, organization.organization_id, owner_id, Role.OWNER)
    act = Act("organization.create", "organization", organization.organization_id)
    await record(conn, organization.organization_id, act)
    return organization
