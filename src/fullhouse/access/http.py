"""Who is asking, as dependencies of routes. Each route declares exactly one of them, or the app does not start.

===============================================  ==============================================================
``grant: Annotated[Grant, requires("x:write")]``  a member's API key with this permission; ``grant.organization_id``
                                                  belongs in the WHERE. For an organization in a body call
                                                  ``grant.check_organization``
``dependencies=[requires("x:write")]``            the same where the path has ``{organization_id}``: it is compared,
                                                  and the route may then use it
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
from uuid import UUID

from fastapi import Depends, Request
from starlette.datastructures import Headers

from fullhouse.access.rules import (
    PERMISSIONS,
    Asker,
    CredentialMissing,
    CredentialUnknown,
    Grant,
    Permission,
    check_permission,
)
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.organizations.find_api_key import ApiKeys
from fullhouse.organizations.rules import OrganizationNotFound

CREDENTIAL_LENGTH_MAX = 4096

HolderScheme = Literal["Order", "Reservation"]
Scheme = Literal["Bearer", "Order", "Reservation"]
_SCHEMES: dict[str, Scheme] = {"bearer": "Bearer", "order": "Order", "reservation": "Reservation"}
_HOLDER = Actor(kind=ActorKind.HOLDER, label="holder")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a route says about who may call it: for the check at the start, and for the OpenAPI document."""

    permission: Permission | Literal["public", "holder"]
    schemes: tuple[Scheme, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """What stood in the ``Authorization`` header."""

    scheme: Scheme
    value: str


def read_credential(headers: Headers) -> Credential | None:
    """Read the ``Authorization`` header; one of another scheme, or too long, is none of ours."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    known = _SCHEMES.get(scheme.lower())
    value = value.strip(" ")
    if known is None or not value or len(value) > CREDENTIAL_LENGTH_MAX or not value.isascii():
        return None
    return Credential(known, value)


async def find_member(api_keys: ApiKeys, credential: Credential | None, *schemes: Scheme) -> Actor:
    """Return the actor behind a Bearer credential. Raises ``CredentialMissing`` and ``CredentialUnknown``."""
    if credential is None or credential.scheme != "Bearer":
        raise CredentialMissing(schemes=list(schemes))
    key = await api_keys.find_api_key(credential.value)
    if key is None:
        raise CredentialUnknown(schemes=list(schemes))
    return Actor(
        kind=ActorKind.API_KEY,
        organization_id=key.organization_id,
        actor_id=key.api_key_id,
        label=f"api_key {key.api_key_id}",
        permissions=PERMISSIONS[key.role],
    )


def grant_of(actor: Actor, permission: Permission, named: str | None) -> Grant:
    """Grant a permission in the actor's organization. ``named`` is the organization that the path names, if any."""
    if actor.organization_id is None:
        raise CredentialMissing(schemes=["Bearer"])
    grant = Grant(actor, actor.organization_id)
    if named is not None:
        grant.check_organization(_organization_id(named))
    check_permission(actor, permission)
    return grant


class PublicAccess:
    """The dependency made by ``public``."""

    declaration = Declaration("public", ())

    async def __call__(self) -> None:
        """Let everybody in."""


class HolderAccess:
    """The dependency made by ``holder_of`` and ``anyone_with``."""

    def __init__(self, scheme: HolderScheme, *, optional: bool) -> None:
        """Remember which secret is meant."""
        self._scheme: HolderScheme = scheme
        self._optional = optional
        self.declaration = Declaration("public" if optional else "holder", (scheme,), optional)

    async def __call__(self, request: Request) -> str | None:
        """Return the secret that was sent."""
        credential = read_credential(request.headers)
        if credential is not None and credential.scheme == self._scheme:
            request.state.actor = _HOLDER
            return credential.value
        if self._optional:
            return None
        raise CredentialMissing(schemes=[self._scheme])


class MemberAccess:
    """The dependency made by ``requires``."""

    def __init__(self, permission: Permission) -> None:
        """Remember the permission."""
        self._permission: Permission = permission
        self.declaration = Declaration(permission, ("Bearer",))

    async def __call__(self, request: Request) -> Grant:
        """Return the actor's grant in their organization."""
        actor = await find_member(_api_keys(request), read_credential(request.headers), "Bearer")
        request.state.actor = actor
        return grant_of(actor, self._permission, request.path_params.get("organization_id"))


class HolderOrMemberAccess:
    """The dependency made by ``holder_or_member``."""

    def __init__(self, scheme: HolderScheme, permission: Permission) -> None:
        """Remember which secret is meant, and the permission of members."""
        self._scheme: HolderScheme = scheme
        self._permission: Permission = permission
        self.declaration = Declaration(permission, (scheme, "Bearer"))

    async def __call__(self, request: Request) -> Asker:
        """Return who asks."""
        credential = read_credential(request.headers)
        if credential is not None and credential.scheme == self._scheme:
            request.state.actor = _HOLDER
            return Asker(_HOLDER, credential.value)
        actor = await find_member(_api_keys(request), credential, self._scheme, "Bearer")
        request.state.actor = actor
        check_permission(actor, self._permission)
        return Asker(actor)


def public() -> Any:  # noqa: ANN401 (FastAPI's marker of a dependency)
    """Declare that anyone may call the route."""
    return Depends(PublicAccess())


def requires(permission: Permission) -> Any:  # noqa: ANN401 (the same)
    """Declare that members with the permission may call the route; gives a ``Grant``."""
    return Depends(MemberAccess(permission))


def holder_of(scheme: HolderScheme) -> Any:  # noqa: ANN401 (the same)
    """Declare that the holder of a secret may call the route; gives the secret that was sent, not yet compared."""
    return Depends(HolderAccess(scheme, optional=False))


def anyone_with(scheme: HolderScheme) -> Any:  # noqa: ANN401 (the same)
    """Declare that anyone may call the route, with a secret or without; gives the secret or None."""
    return Depends(HolderAccess(scheme, optional=True))


def holder_or_member(scheme: HolderScheme, permission: Permission) -> Any:  # noqa: ANN401 (the same)
    """Declare that the holder, or members with the permission, may call the route; gives an ``Asker``."""
    return Depends(HolderOrMemberAccess(scheme, permission))


async def get_api_keys(request: Request) -> ApiKeys:
    """Return the keys that this process remembers."""
    return _api_keys(request)


ApiKeysDep = Annotated[ApiKeys, Depends(get_api_keys)]


def _api_keys(request: Request) -> ApiKeys:
    api_keys: ApiKeys = request.app.state.api_keys
    return api_keys


def _organization_id(named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError as unreadable:
        raise OrganizationNotFound from unreadable
