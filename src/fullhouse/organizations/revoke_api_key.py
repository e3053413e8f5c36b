"""Revoking an API key."""

from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.rules import ApiKeyNotFound
from fullhouse.organizations.writes import mark_revoked


async def revoke_api_key(conn: Connection, organization_id: UUID, api_key_id: UUID) -> None:
    """End a key for good; once it has ended nothing changes. Other processes refuse it within five seconds.

    Raises ``ApiKeyNotFound``.
    """
    if not await mark_revoked(conn, organization_id, api_key_id):
        raise ApiKeyNotFound
    await record(conn, organization_id, Act("api_key.revoke", "api_key", api_key_id))
