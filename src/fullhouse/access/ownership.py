"""The second layer of access, membership and ownership: whose is what a path names, and who is the asker there.

A thing belongs to the organization that the directory names for its id. A user is there what their membership says, and
nobody without one; an API key is what it is in its own organization alone. What is another organization's is answered
like what is not there: every statement names the organization, and row level security stands behind it.

The holder of a secret needs no membership: what it opens, ``policies`` say.
"""

from uuid import UUID

from fastapi import Request

from fullhouse.access.find_actor import SignedIn
from fullhouse.access.find_asker import actors_of, name_actor
from fullhouse.access.rules import ThingNotFound
from fullhouse.core.actor import Actor
from fullhouse.infra.directory import Kind
from fullhouse.organizations.rules import OrganizationNotFound

THINGS: dict[str, Kind] = {
    "event_id": "event",
    "session_id": "session",
    "seat_map_id": "seat_map",
    "order_id": "order",
    "payment_id": "payment",
    "refund_id": "refund",
    "ticket_id": "ticket",
}
"""The parameters of paths by which the directory finds an organization, and what they name."""


async def find_actor(request: Request, found: Actor | SignedIn) -> Actor:
    """Return who asks as the actor that they are in the organization that the path names, itself or by its thing.

    An API key stays what it is; that it names its own organization is checked. Raises ``OrganizationNotFound``, or
    ``ThingNotFound`` for a thing of an organization in which a user has no place, and ``SecondFactorRequired``.
    """
    named = request.path_params.get("organization_id")
    if isinstance(found, Actor):
        if named is not None and found.organization_id != _read_id(named):
            raise OrganizationNotFound
        return found
    actors = actors_of(request)
    if named is not None:
        actor = await actors.find_member(found, _read_id(named))
    else:
        kind, thing_id = _named_thing(request)
        organization_id = await actors.find_owner_of(kind, thing_id)
        try:
            actor = await actors.find_member(found, organization_id)
        except OrganizationNotFound as foreign:
            raise ThingNotFound(kind) from foreign
    name_actor(request, actor)
    return actor


def _named_thing(request: Request) -> tuple[Kind, UUID]:
    """Return the first thing that the path names. That there is one was checked when the app started."""
    name = next(name for name in request.path_params if name in THINGS)
    try:
        return THINGS[name], UUID(str(request.path_params[name]))
    except ValueError as unreadable:
        raise ThingNotFound(THINGS[name]) from unreadable


def _read_id(named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError as unreadable:
        raise OrganizationNotFound from unreadable
