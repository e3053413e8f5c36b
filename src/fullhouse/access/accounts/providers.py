"""Routes for signing in by a provider of identities (OpenID Connect)."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from fullhouse.access.accounts.parts import (
    Accounts,
    AccountsDep,
    ClientDep,
    OpaqueText,
    TokensAnswer,
    answer_tokens,
)
from fullhouse.access.http import public
from fullhouse.identity.oidc.sign_in_elsewhere import ATTEMPT_SECONDS, Answer, begin_elsewhere, finish_elsewhere
from fullhouse.identity.oidc.talk import ProviderLine
from fullhouse.identity.rules import Client, ProviderRefused, ProviderUnknownHere
from fullhouse.infra.http import ApiModel, ResourcesDep, problems
from fullhouse.infra.resources import Resources
from fullhouse.infra.system import random_text

router = APIRouter(tags=["accounts"])

_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SECRET_BYTES = 32


class ProviderAnswer(ApiModel):
    """A way to sign in."""

    name: str
    title: str


class ProvidersAnswer(ApiModel):
    """All ways to sign in elsewhere."""

    items: list[ProviderAnswer]


class BegunAnswer(ApiModel):
    """Where the person goes on."""

    authorization_url: str
    expires_in: int = ATTEMPT_SECONDS


class ReturnedBody(ApiModel):
    """What the provider sent the browser back with."""

    code: OpaqueText
    state: OpaqueText


async def read_returned(
    code: Annotated[str | None, Query(max_length=2048)] = None,
    state: Annotated[str | None, Query(max_length=2048)] = None,
) -> tuple[str, str]:
    """Read what the provider put into the address. Without a code the person did not agree there."""
    if not code or not state:
        raise ProviderRefused
    return code, state


@router.get("/auth/providers", dependencies=[public()])
async def get_providers(accounts: AccountsDep) -> ProvidersAnswer:
    """List the providers that the settings name."""
    lines = accounts.lines.values()
    return ProvidersAnswer(items=[ProviderAnswer(name=one.provider.name, title=one.provider.title) for one in lines])


@router.post("/auth/providers/{provider}", dependencies=[public()], responses=problems(404, 429))
async def post_provider(
    provider: str, request: Request, response: Response, resources: ResourcesDep, accounts: AccountsDep
) -> BegunAnswer:
    """Begin to sign in elsewhere. A cookie ties the attempt to this browser."""
    line = _line(accounts, provider)
    name = _cookie(resources)
    browser = request.cookies.get(name, "")
    if not _BROWSER.fullmatch(browser):
        browser = random_text(_SECRET_BYTES)
    url = await begin_elsewhere(resources.pool, accounts.means, line, _redirect_uri(resources, provider), browser)
    secure = resources.public_url.startswith("https://")
    response.set_cookie(name, browser, max_age=ATTEMPT_SECONDS, path="/", secure=secure, httponly=True, samesite="lax")
    return BegunAnswer(authorization_url=url)


@router.get("/auth/providers/{provider}/callback", dependencies=[public()], responses=problems(401, 404, 429))
async def get_provider_callback(
    provider: str,
    request: Request,
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
    returned: Annotated[tuple[str, str], Depends(read_returned)],
) -> TokensAnswer:
    """Finish to sign in elsewhere: the provider sends the browser here. Whatever else it adds is passed over."""
    return await _finish(request, resources, accounts, (provider, *returned), client)


@router.post("/auth/providers/{provider}/callback", dependencies=[public()], responses=problems(401, 404, 429))
async def post_provider_callback(
    provider: str,
    body: ReturnedBody,
    request: Request,
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
) -> TokensAnswer:
    """Finish to sign in elsewhere, for pages that were sent back to and pass on what they got."""
    return await _finish(request, resources, accounts, (provider, body.code, body.state), client)


async def _finish(
    request: Request, resources: Resources, accounts: Accounts, returned: tuple[str, str, str], client: Client
) -> TokensAnswer:
    provider, code, state = returned
    line = _line(accounts, provider)
    answer = Answer(code, state, request.cookies.get(_cookie(resources), ""))
    about = _redirect_uri(resources, provider), client
    return answer_tokens(await finish_elsewhere(resources.pool, accounts.means, line, answer, about))


def _line(accounts: Accounts, name: str) -> ProviderLine:
    line = accounts.lines.get(name)
    if line is None:
        raise ProviderUnknownHere
    return line


def _redirect_uri(resources: Resources, provider: str) -> str:
    return f"{resources.public_url}/api/v1/auth/providers/{provider}/callback"


def _cookie(resources: Resources) -> str:
    """Name the cookie; by https so that no neighbour of this host may set it."""
    return "__Host-sign-in" if resources.public_url.startswith("https://") else "sign-in"
