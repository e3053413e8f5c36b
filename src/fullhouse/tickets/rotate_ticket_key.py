"""The keys that sign an organization's ticket codes: the one in use, and the next one.

Private keys are derived from the server's key and stored nowhere. A retired key signs no new tickets; tickets that
carry its number keep their codes and are still verified with it.
"""

from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.code import derive_signing_key
from fullhouse.tickets.queries import load_newest_key
from fullhouse.tickets.rules import TicketKey
from fullhouse.tickets.writes import insert_key, lock_keys


async def rotate_ticket_key(conn: Connection, server_key: bytes, organization_id: UUID) -> TicketKey:
    """Make the organization's next key the one that signs, and retire those before it."""
    await lock_keys(conn, organization_id)
    newest = await load_newest_key(conn, organization_id)
    key = await _make_key(conn, server_key, organization_id, newest)
    act = Act("ticket_key.rotate", "organization", organization_id, {"key_id": key.key_id})
    await record(conn, organization_id, act)
    return key


async def use_ticket_key(conn: Connection, server_key: bytes, organization_id: UUID) -> TicketKey:
    """Return the key that signs now; make the first one, or the next where the server's key was changed."""
    newest = await load_newest_key(conn, organization_id)
    if newest is None or not _is_ours(newest, server_key, organization_id):
        await lock_keys(conn, organization_id)
        newest = await load_newest_key(conn, organization_id)
    if newest is not None and _is_ours(newest, server_key, organization_id):
        return newest
    return await _make_key(conn, server_key, organization_id, newest)


async def _make_key(conn: Connection, server_key: bytes, organization_id: UUID, newest: TicketKey | None) -> TicketKey:
    key_id = newest.key_id + 1 if newest else 1
    return await insert_key(conn, organization_id, key_id, _public_key(server_key, organization_id, key_id))


def _is_ours(key: TicketKey, server_key: bytes, organization_id: UUID) -> bool:
    return not key.retired and key.public_key == _public_key(server_key, organization_id, key.key_id)


def _public_key(server_key: bytes, organization_id: UUID, key_id: int) -> bytes:
    return derive_signing_key(server_key, organization_id, key_id).public_key().public_bytes_raw()
