"""Changing what an organization says of itself, and what it asks of its members."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import Organization, OrganizationNotFound, checked_name
from fullhouse.organizations.writes import lock_organization, write_organization


async def update_organization(conn: Connection, organization_id: UUID, changes: Mapping[str, Any]) -> Organization:
    """Change fields of an organization, by their names; what is not named stays.

    Raises ``OrganizationNotFound``, and ``Invalid`` for a bad name.
    """
    await lock_organization(conn, organization_id)
    found = await load_organization(conn, organization_id)
    if found is None:
        raise OrganizationNotFound
    changed = replace(found, **changes)
    checked_name(changed.name)
    if changed != found:
        await write_organization(conn, changed)
        fields = sorted(name for name in changes if getattr(changed, name) != getattr(found, name))
        await record(
            conn, organization_id, Act("organization.update", "organization", organization_id, {"fields": [*fields]})
        )
    return changed
