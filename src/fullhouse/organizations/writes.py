"""Writing organizations, members and API keys."""

from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.organizations.rules import NewApiKey, Organization, Role


async def insert_organization(conn: Connection, organization: Organization) -> None:
    """Enter an organization."""
    await conn.execute(
        """
        INSERT INTO organizations (organization_id, name, contact_email, language, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        organization.organization_id,
        organization.name,
        organization.contact_email,
        organization.language,
        organization.created_at,
    )


async def write_organization(conn: Connection, organization: Organization) -> None:
    """Write what an organization says of itself and asks of its members; the caller holds its lock."""
    await conn.execute(
        """
        UPDATE organizations SET name = $2, contact_email = $3, language = $4, second_factor_required = $5,
                                 refund_limit_minor = $6
        WHERE organization_id = $1
        """,
        organization.organization_id,
        organization.name,
        organization.contact_email,
        organization.language,
        organization.second_factor_required,
        organization.refund_limit_minor,
    )


async def insert_member(conn: Connection, organization_id: UUID, user_id: UUID, role: Role) -> None:
    """Make a user a member; one who is a member already keeps the role."""
    await conn.execute(
        "INSERT INTO members (organization_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        organization_id,
        user_id,
        role.value,
    )


async def lock_organization(conn: Connection, organization_id: UUID) -> bool:
    """Keep others from issuing keys in this organization until the transaction ends. False where there is none."""
    found = await conn.fetchval(
        "SELECT 1 FROM organizations WHERE organization_id = $1 FOR NO KEY UPDATE", organization_id
    )
    return found is not None


async def count_live_api_keys(conn: Connection, organization_id: UUID) -> int:
    """Count the keys that are neither revoked nor expired; right only under ``lock_organization``."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM api_keys
        WHERE organization_id = $1 AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > clock_timestamp())
        """,
        organization_id,
    )
    return count


async def insert_api_key(
    conn: Connection, ids: tuple[UUID, UUID], new: NewApiKey, hashed: tuple[bytes, str]
) -> datetime:
    """Enter a key: ids of organization and key, what it is, hash and hint. Return when it was made."""
    created_at: datetime = await conn.fetchval(
        """
        INSERT INTO api_keys (organization_id, api_key_id, name, role, key_hash, key_hint, expires_at,
                              scopes, session_ids, gates)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING created_at
        """,
        *ids,
        new.name,
        new.role.value,
        *hashed,
        new.expires_at,
        new.scopes,
        new.session_ids,
        new.gates,
    )
    return created_at


async def mark_revoked(conn: Connection, organization_id: UUID, api_key_id: UUID) -> bool:
    """End a key; one that ended before keeps its instant. False where the organization has no such key."""
    tag = await conn.execute(
        """
        UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp())
        WHERE organization_id = $1 AND api_key_id = $2
        """,
        organization_id,
        api_key_id,
    )
    return tag == "UPDATE 1"


async def note_use(conn: Connection, organization_id: UUID, api_key_id: UUID) -> None:
    """Write down that a key is in use, at most once a minute however many processes see it."""
    await conn.execute(
        """
        UPDATE api_keys SET last_used_at = clock_timestamp()
        WHERE organization_id = $1 AND api_key_id = $2
          AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '60 seconds')
        """,
        organization_id,
        api_key_id,
    )
