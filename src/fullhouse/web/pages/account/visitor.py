"""Who opens a page: by the cookies of their sign-in, which are renewed on the way, and by nothing in the address.

``visitor: Annotated[SignedIn | None, visiting()]`` is anybody; ``user: Annotated[SignedIn, visiting_signed_in()]`` is
somebody who is signed in: others are led to the page for it, and back.
"""

import hmac
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from fullhouse.access.accounts.parts import Accounts, get_client
from fullhouse.access.find_asker import name_actor, person
from fullhouse.access.http import PublicAccess, UserAccess
from fullhouse.core.errors import DomainError, Unauthenticated
from fullhouse.core.secrets import derive_key
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.refresh_tokens import refresh_tokens
from fullhouse.identity.rules import RefreshRefused, TooManyTries
from fullhouse.infra.resources import Resources
from fullhouse.infra.system import random_text
from fullhouse.web.pages.account.cookies import (
    NEXT_SECONDS,
    Kept,
    drop_tokens,
    keep_cookie,
    keep_tokens,
    read_cookie,
    write_cookies,
)
from fullhouse.web.pages.form import read_form
from fullhouse.web.pages.origin import SentFromElsewhere, check_origin
from fullhouse.web.pages.render import PRIVATE_HEADERS
from fullhouse.web.pages.route import PageRoute

SIGN_IN_PATH = "/sign-in"
_FORM_SECRET_BYTES = 32
_RETRY_KEY = "pages"
"""Two tabs that refresh at once are one request: the second hears the answer of the first."""


class SignInNeeded(Unauthenticated):
    """The page is for people who are signed in."""

    code = "page_sign_in_needed"
    title = "Sign in to see this page."


class VisitorAccess(PublicAccess):
    """The dependency made by ``visiting``."""

    async def __call__(self, request: Request) -> SignedIn | None:  # pyright: ignore[reportIncompatibleMethodOverride] (FastAPI fills the parameters)
        """Return who is signed in, if somebody is."""
        return await find_visitor(request)


class SignedInVisitorAccess(UserAccess):
    """The dependency made by ``visiting_signed_in``."""

    async def __call__(self, request: Request) -> SignedIn:
        """Return who is signed in. Raises ``SignInNeeded``."""
        user = await find_visitor(request)
        if user is None:
            raise SignInNeeded
        return user


def visiting() -> Any:  # noqa: ANN401 (FastAPI's marker of a dependency)
    """Declare that anyone may open the page; gives a ``SignedIn`` or None."""
    return Depends(VisitorAccess())


def visiting_signed_in() -> Any:  # noqa: ANN401 (the same)
    """Declare that people who are signed in may open the page; gives a ``SignedIn``."""
    return Depends(SignedInVisitorAccess())


class AccountRoute(PageRoute):
    """A page that leaves cookies, and leads to the sign-in whoever has to sign in first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the route's own handler."""
        handle = super().get_route_handler()

        async def handle_with_cookies(request: Request) -> Response:
            resources: Resources = request.app.state.resources
            answer = await handle(request)
            write_cookies(request, resources, answer)
            return answer

        return handle_with_cookies

    def on_refusal(self, request: Request, error: DomainError) -> Response | None:
        """Lead to the sign-in; what was asked for is opened afterwards, if looking at it was all."""
        if not isinstance(error, SignInNeeded):
            return None
        if request.method == "GET":
            keep_cookie(request, Kept("next", request.url.path, NEXT_SECONDS))
        return RedirectResponse(SIGN_IN_PATH, 303, headers=dict(PRIVATE_HEADERS))


async def find_visitor(request: Request) -> SignedIn | None:
    """Return who is signed in here, or None. An access token that has ended is renewed by the refresh token."""
    resources: Resources = request.app.state.resources
    accounts: Accounts = request.app.state.accounts
    access = read_cookie(request, resources, "access")
    user = await accounts.signed_in.find_signed_in(access) if access else None
    refresh = read_cookie(request, resources, "refresh")
    if user is None and refresh:
        user = await _renew(request, resources, accounts, refresh)
    if user is not None:
        name_actor(request, person(user))
    return user


async def _renew(request: Request, resources: Resources, accounts: Accounts, refresh: str) -> SignedIn | None:
    client = await get_client(request)
    try:
        tokens, _ = await refresh_tokens(resources.pool, accounts.means, refresh, client, _RETRY_KEY)
    except RefreshRefused:
        drop_tokens(request)
        return None
    except TooManyTries:
        return None
    keep_tokens(request, tokens)
    return await accounts.signed_in.find_signed_in(tokens.access_token)


def form_token(request: Request, user: SignedIn | None = None) -> str:
    """Return what each form of this browser carries: a keyed hash over a cookie of it, and the sign-in."""
    resources: Resources = request.app.state.resources
    secret = read_cookie(request, resources, "form")
    if not secret:
        secret = random_text(_FORM_SECRET_BYTES)
        keep_cookie(request, Kept("form", secret))
    return _token_over(resources, secret, user)


async def read_own_form(request: Request, user: SignedIn | None = None) -> Mapping[str, str]:
    """Read a form that a page of ours made for this browser and sign-in.

    Raises ``SentFromElsewhere`` for every other, and ``FormUnreadable``.
    """
    resources: Resources = request.app.state.resources
    check_origin(request, resources.public_url)
    fields = await read_form(request)
    secret = read_cookie(request, resources, "form")
    expected = _token_over(resources, secret, user)
    if not secret or not hmac.compare_digest(expected.encode(), fields.get("form", "").encode()):
        raise SentFromElsewhere
    return fields


def _token_over(resources: Resources, secret: str, user: SignedIn | None) -> str:
    whose = str(user.family_id) if user else ""
    return hmac.digest(derive_key(resources.secret_key, "page form"), f"{secret} {whose}".encode(), "sha256").hex()[:32]
