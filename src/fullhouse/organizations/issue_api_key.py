"""Issuing an API key."""

from uuid import UUID

from fullhouse.core.clock import Randomness
from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import hash_secret
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.directory import register
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.rules import (
    API_KEY_SECRET_BYTES,
    API_KEYS_MAX,
    ApiKey,
    NewApiKey,
    OrganizationNotFound,
    TooManyApiKeys,
    api_key_hint,
    write_api_key,
)
from fullhouse.organizations.writes import count_live_api_keys, insert_api_key, lock_organization


async def issue_api_key(
    conn: Connection, make_id: MakeId, randomness: Randomness, organization_id: UUID, new: NewApiKey
) -> tuple[ApiKey, str]:
    """Issue a key and return it with its text, which is stored nowhere: only its hash is.

    Raises ``OrganizationNotFound``, and ``TooManyApiKeys`` where a hundred are live.
    """
    if not await lock_organization(conn, organization_id):
        raise OrganizationNotFound
    if await count_live_api_keys(conn, organization_id) >= API_KEYS_MAX:
        raise TooManyApiKeys(api_keys_max=API_KEYS_MAX)
    api_key_id = make_id()
    text = write_api_key(api_key_id, randomness(API_KEY_SECRET_BYTES))
    hint = api_key_hint(text)
    created_at = await insert_api_key(conn, (organization_id, api_key_id), new, (hash_secret(text), hint))
    await register(conn, "api_key", organization_id, [api_key_id])
    await record(conn, organization_id, Act("api_key.issue", "api_key", api_key_id, {"role": new.role.value}))
    key = ApiKey(
        organization_id=organization_id,
        api_key_id=api_key_id,
        name=new.name,
        role=new.role,
        key_hint=hint,
        created_at=created_at,
        expires_at=new.expires_at,
        revoked_at=None,
        last_used_at=None,
        scopes=new.scopes,
        session_ids=new.session_ids,
        gates=new.gates,
    )
    return key, text
