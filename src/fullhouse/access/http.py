"""Who is asking, as dependencies of routes. Each route declares exactly one of them, or the app does not start.

===============================================  ==============================================================
``grant: Annotated[Grant, requires("x:write")]``  a member, or an API key, with this permission in the organization of
                                                  what the path names; ``grant.organization_id`` belongs in the WHERE
``dependencies=[requires("x:write")]``            the same where the path has ``{organization_id}``: it is compared,
                                                  and the route may then use it
``asker: Annotated[OpenGrant, requires_where("x:write")]``  the same where the path names no thing: the route says which
                                                  organization is meant, ``grant = await asker.grant_in(…)``
``user: Annotated[SignedIn, signed_in()]``        a user, whichever organizations they work for
``dependencies=[public()]``                       anyone
``secret: Annotated[str, holder_of("Order")]``    whoever sent ``Authorization: Order <secret>`` (or ``Reservation``);
                                                  compare it with the stored hash: ``same_hash``
``secret: Annotated[str | None, anyone_with("Reservation")]``  anyone, with a secret or without
``asker: Annotated[Asker, holder_or_member("Order", "order:read")]``  the holder, or a member with the permission:
                                                  ``if not opens(asker, organization_id, order.secret_hash): raise …``
===============================================  ==============================================================

Nobody shown: 401. A member without the permission: 403. A wrong secret, or what belongs to another organization: 404.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from starlette.types import Scope

from fullhouse.access.find_actor import SignedIn
from fullhouse.access.find_asker import (
    OpenGrant,
    Scheme,
    actors_of,
    credential_in,
    find_bearer,
    grant_at_a_glance,
    grant_of,
    name_actor,
    name_actor_in,
    name_asking,
    read_credential,
)
from fullhouse.access.ownership import find_actor
from fullhouse.access.rules import (
    Asker,
    CredentialMissing,
    Grant,
    Permission,
    SecondFactorRequired,
    ThingNotFound,
    UserNeeded,
    check_permission,
)
from fullhouse.core.actor import ANONYMOUS, Actor, ActorKind
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot_reading import find_header
from fullhouse.organizations.find_api_key import ApiKeys
from fullhouse.organizations.members.find_member import Members

__all__ = ["Declaration", "OpenGrant", "SignedIn", "grant_at_a_glance", "read_credential"]

HolderScheme = Literal["Order", "Reservation", "Allocation"]
_HOLDER = Actor(kind=ActorKind.HOLDER, label="holder")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a route says about who may call it: for the check at the start, and for the OpenAPI document."""

    permission: Permission | Literal["public", "holder", "signed_in"]
    schemes: tuple[Scheme, ...]
    optional: bool = False
    by_path: bool = False
    """Whether the path must name the organization, or a thing of one."""


class PublicAccess:
    """The dependency made by ``public``."""

    declaration = Declaration("public", ())

    async def __call__(self) -> None:
        """Let everybody in."""


class ViewerAccess(PublicAccess):
    """Anyone may look; a member sees more of what the path names. Whoever has no place there looks like anybody."""

    declaration = Declaration("public", ("Bearer",), optional=True)

    async def __call__(self, request: Request) -> Actor:  # pyright: ignore[reportIncompatibleMethodOverride] (FastAPI fills the parameters)
        """Return who looks. Raises ``CredentialUnknown`` for a credential that is none."""
        credential = read_credential(request.headers)
        if credential is None or credential.scheme != "Bearer":
            return ANONYMOUS
        found = await find_bearer(request)
        try:
            return await find_actor(request, found)
        except (ThingNotFound, SecondFactorRequired):
            return ANONYMOUS


class HolderAccess:
    """The dependency made by ``holder_of`` and ``anyone_with``."""

    def __init__(self, scheme: HolderScheme, *, optional: bool) -> None:
        """Remember which secret is meant."""
        self._scheme: HolderScheme = scheme
        self._optional = optional
        self.declaration = Declaration("public" if optional else "holder", (scheme,), optional)

    async def __call__(self, request: Request) -> str | None:
        """Return the secret that was sent."""
        secret = await find_secret(request.scope, self._scheme)
        if secret is None and not self._optional:
            raise CredentialMissing(schemes=[self._scheme])
        return secret


class UserAccess:
    """The dependency made by ``signed_in``."""

    declaration = Declaration("signed_in", ("Bearer",))

    async def __call__(self, request: Request) -> SignedIn:
        """Return the user. Raises ``UserNeeded`` for an API key."""
        found = await find_bearer(request)
        if isinstance(found, Actor):
            raise UserNeeded
        return found


class MemberAccess:
    """The dependency made by ``requires``."""

    def __init__(self, permission: Permission) -> None:
        """Remember the permission."""
        self._permission: Permission = permission
        self.declaration = Declaration(permission, ("Bearer",), by_path=True)

    async def __call__(self, request: Request) -> Grant:
        """Return the actor's grant in the organization that the path names."""
        return grant_of(await find_actor(request, await find_bearer(request)), self._permission)


class OpenMemberAccess:
    """The dependency made by ``requires_where``."""

    def __init__(self, permission: Permission) -> None:
        """Remember the permission."""
        self._permission: Permission = permission
        self.declaration = Declaration(permission, ("Bearer",))

    async def __call__(self, request: Request) -> OpenGrant:
        """Return who asks; an API key without the permission is refused at once."""
        found = await find_bearer(request)
        if isinstance(found, Actor):
            check_permission(found, self._permission)
        return OpenGrant(request, found, self._permission)


class HolderOrMemberAccess:
    """The dependency made by ``holder_or_member``."""

    def __init__(self, scheme: HolderScheme, permission: Permission) -> None:
        """Remember which secret is meant, and the permission of members."""
        self._scheme: HolderScheme = scheme
        self._permission: Permission = permission
        self.declaration = Declaration(permission, (scheme, "Bearer"), by_path=True)

    async def __call__(self, request: Request) -> Asker:
        """Return who asks."""
        credential = read_credential(request.headers)
        if credential is not None and credential.scheme == self._scheme:
            name_actor(request, _HOLDER)
            return Asker(_HOLDER, credential.value)
        actor = await find_actor(request, await find_bearer(request, self._scheme, "Bearer"))
        check_permission(actor, self._permission)
        return Asker(actor)


_viewer = ViewerAccess()


async def find_viewer(scope: Scope) -> Actor:
    """Return who looks, for a hot route that declares ``viewer()``. Raises ``CredentialUnknown``."""
    if find_header(scope, b"authorization") is None:
        return ANONYMOUS
    return await _viewer(Request(scope))


async def find_secret(scope: Scope, scheme: HolderScheme) -> str | None:
    """Return the secret that was sent, or None, for a hot route that declares ``anyone_with(scheme)``."""
    secret = _secret_in(find_header(scope, b"authorization"), scheme)
    if secret is not None:
        name_actor_in(scope, _HOLDER)
    return secret


def secret_at_a_glance(asked: Asked, scheme: HolderScheme) -> str | None:
    """Return the secret that was sent, or None, for what is answered at a glance."""
    secret = _secret_in(asked.fields.get(b"authorization"), scheme)
    if secret is not None:
        name_asking(asked, _HOLDER)
    return secret


def _secret_in(sent: bytes | None, scheme: HolderScheme) -> str | None:
    credential = None if sent is None else credential_in(sent.decode("latin-1"))
    return None if credential is None or credential.scheme != scheme else credential.value


async def find_holder(scope: Scope, scheme: HolderScheme) -> str:
    """Return the secret that was sent, for a hot route that declares ``holder_of(scheme)``."""
    secret = await find_secret(scope, scheme)
    if secret is None:
        raise CredentialMissing(schemes=[scheme])
    return secret


async def find_open_grant(scope: Scope, permission: Permission) -> OpenGrant:
    """Return who asks, for a hot route that declares ``requires_where(permission)``."""
    return await OpenMemberAccess(permission)(Request(scope))


def public() -> Any:  # noqa: ANN401 (FastAPI's marker of a dependency)
    """Declare that anyone may call the route."""
    return Depends(PublicAccess())


def viewer() -> Any:  # noqa: ANN401 (the same)
    """Declare that anyone may call the route, and members see more; gives an ``Actor``."""
    return Depends(_viewer)


def signed_in() -> Any:  # noqa: ANN401 (the same)
    """Declare that users may call the route, whichever organizations they work for; gives a ``SignedIn``."""
    return Depends(UserAccess())


def requires(permission: Permission) -> Any:  # noqa: ANN401 (the same)
    """Declare that members with the permission may call the route; gives a ``Grant``."""
    return Depends(MemberAccess(permission))


def requires_where(permission: Permission) -> Any:  # noqa: ANN401 (the same)
    """Declare the same for a route whose path names no thing; gives an ``OpenGrant``."""
    return Depends(OpenMemberAccess(permission))


def holder_of(scheme: HolderScheme) -> Any:  # noqa: ANN401 (the same)
    """Declare that the holder of a secret may call the route; gives the secret that was sent, not yet compared."""
    return Depends(HolderAccess(scheme, optional=False))


def anyone_with(scheme: HolderScheme) -> Any:  # noqa: ANN401 (the same)
    """Declare that anyone may call the route, with a secret or without; gives the secret or None."""
    return Depends(HolderAccess(scheme, optional=True))


def holder_or_member(scheme: HolderScheme, permission: Permission) -> Any:  # noqa: ANN401 (the same)
    """Declare that the holder, or members with the permission, may call the route; gives an ``Asker``."""
    return Depends(HolderOrMemberAccess(scheme, permission))


DECLARING = (
    PublicAccess,
    UserAccess,
    HolderAccess,
    MemberAccess,
    OpenMemberAccess,
    HolderOrMemberAccess,
)
"""The dependencies that say who may call a route."""


async def get_api_keys(request: Request) -> ApiKeys:
    """Return the keys that this process remembers."""
    return actors_of(request).api_keys


async def get_members(request: Request) -> Members:
    """Return the members that this process remembers."""
    return actors_of(request).members


ApiKeysDep = Annotated[ApiKeys, Depends(get_api_keys)]
MembersDep = Annotated[Members, Depends(get_members)]
