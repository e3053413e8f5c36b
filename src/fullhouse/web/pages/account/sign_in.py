"""Signing in and out in a browser: with a password, and with a code where the account has a second factor."""

import re
from typing import Annotated

from fastapi import APIRouter, Request, Response

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.core.errors import DomainError
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.passwords import PASSWORD_LENGTH_MAX, PasswordsBusy
from fullhouse.identity.rules import (
    SecondFactorNeeded,
    SecondFactorRefused,
    SignInRefused,
    SignInTokens,
    TooManyTries,
)
from fullhouse.identity.sign_in import answer_challenge, sign_in
from fullhouse.identity.sign_out import sign_out
from fullhouse.infra.http import ResourcesDep
from fullhouse.web.pages.account.cookies import Kept, drop_tokens, keep_cookie, keep_tokens, read_cookie
from fullhouse.web.pages.account.show import lead_to, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form, visiting

router = APIRouter(route_class=AccountRoute, include_in_schema=False)

HOME = "/account/orders"
_NEXT = re.compile(r"/(account(/orders|/second-factor)?|invitations/[A-Za-z0-9_-]{65})", re.ASCII)
"""Where a sign-in may lead: to pages of ours, and nowhere else."""

Visitor = Annotated[SignedIn | None, visiting()]


@router.get("/sign-in")
async def get_sign_in(request: Request, visitor: Visitor, accounts: AccountsDep) -> Response:
    """Show the form, or the account to whoever is signed in."""
    return lead_to("/account") if visitor else show_sign_in(request, accounts)


@router.post("/sign-in")
async def post_sign_in(
    request: Request, visitor: Visitor, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Sign in with address and password; or ask for the code."""
    del visitor
    fields = await read_own_form(request)
    email, password = fields.get("email", "").strip()[:255], fields.get("password", "")[: PASSWORD_LENGTH_MAX + 1]
    try:
        tokens = await sign_in(resources.pool, accounts.means, (email, password), client)
    except SecondFactorNeeded as needed:
        return show_code(request, str(needed.fields["challenge"]))
    except (SignInRefused, TooManyTries, PasswordsBusy) as refused:
        return show_sign_in(request, accounts, email, refused)
    return finish(request, tokens)


@router.post("/sign-in/code")
async def post_sign_in_code(
    request: Request, visitor: Visitor, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Finish a sign-in with a code."""
    del visitor
    fields = await read_own_form(request)
    challenge, code = fields.get("challenge", "")[:2048], fields.get("code", "").strip()[:40]
    try:
        tokens = await answer_challenge(resources.pool, accounts.means, challenge, code, client)
    except (SecondFactorRefused, TooManyTries) as refused:
        return show_code(request, challenge, refused)
    return finish(request, tokens)


@router.post("/sign-out")
async def post_sign_out(request: Request, visitor: Visitor, resources: ResourcesDep, accounts: AccountsDep) -> Response:
    """End the sign-in of this browser."""
    if visitor is not None:
        await read_own_form(request, visitor)
        await sign_out(resources.pool, visitor.family_id)
        accounts.signed_in.forget(visitor.family_id)
    drop_tokens(request)
    return lead_to("/")


def finish(request: Request, tokens: SignInTokens) -> Response:
    """Leave the tokens in the browser, and lead to where it wanted to go."""
    keep_tokens(request, tokens)
    wanted = read_cookie(request, request.app.state.resources, "next")
    if wanted:
        keep_cookie(request, Kept("next", ""))
    # Another form token: what was made for a stranger is not good for somebody who is signed in.
    keep_cookie(request, Kept("form", ""))
    return lead_to(wanted if _NEXT.fullmatch(wanted) else HOME)


def show_sign_in(
    request: Request,
    accounts: AccountsDep,
    email: str = "",
    refused: DomainError | None = None,
    problem: str | None = None,
) -> Response:
    """Show the form for address and password, and the other ways in."""
    providers = [(line.provider.name, line.provider.title) for line in accounts.lines.values()]
    values: dict[str, object] = {"email": email, "providers": providers}
    return show_page(request, "sign_in.html", {**values, **({"problem": problem} if problem else {})}, None, refused)


def show_code(request: Request, challenge: str, refused: SecondFactorRefused | TooManyTries | None = None) -> Response:
    """Ask for a code; what it goes on from travels in the form."""
    return show_page(request, "sign_in_code.html", {"challenge": challenge}, None, refused)
