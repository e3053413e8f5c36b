"""Finding the user of a mail address, or making one."""

from fullhouse.core.ids import MakeId
from fullhouse.identity.queries import find_user
from fullhouse.identity.rules import User, checked_email
from fullhouse.identity.writes import insert_user
from fullhouse.infra.postgres import Connection


async def ensure_user(conn: Connection, make_id: MakeId, email: str, name: str = "") -> User:
    """Return the user of a mail address, made if there is none. One who is there keeps their name.

    Two callers at once get the same user: the second waits for the first. Raises ``Invalid`` for a bad address.
    """
    address = checked_email(email)
    await insert_user(conn, make_id(), address, name)
    user = await find_user(conn, address)
    if user is None:
        raise LookupError(f"a user that is there was not found: {address!r}")
    return user
