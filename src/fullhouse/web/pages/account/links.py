"""The two pages that a mailed link opens. Looking at one changes nothing: mail programs look at links, too."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.access.http import public
from fullhouse.core.errors import DomainError, Invalid
from fullhouse.identity.mail.link import Purpose
from fullhouse.identity.open_link import open_link, set_password, verify_email
from fullhouse.identity.passwords import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, PasswordsBusy
from fullhouse.identity.rules import LinkRefused, SignInRefused, TooManyTries
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.languages import Translator
from fullhouse.infra.postgres import Pool
from fullhouse.web.errors import status_of
from fullhouse.web.pages.form import read_form
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.origin import check_origin
from fullhouse.web.pages.render import PRIVATE_HEADERS, render_page
from fullhouse.web.pages.route import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@router.get("/account/verify/{token}")
async def get_verify(request: Request, token: str, resources: ResourcesDep) -> Response:
    """Ask for the password, which confirms the address."""
    return await _show(request, resources.pool, "verify_email", token)


@router.post("/account/verify/{token}")
async def post_verify(
    request: Request, token: str, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Confirm the address."""
    check_origin(request, resources.public_url, secret_in_path=True)
    password = _password(await read_form(request))
    try:
        user_id = await verify_email(resources.pool, accounts.means, token, password, client)
    except (LinkRefused, SignInRefused, TooManyTries, PasswordsBusy) as refused:
        return await _show(request, resources.pool, "verify_email", token, refused)
    accounts.signed_in.forget_user(user_id)
    return _done(request, "verify_email")


@router.get("/account/password/{token}")
async def get_set_password(request: Request, token: str, resources: ResourcesDep) -> Response:
    """Ask for a new password."""
    return await _show(request, resources.pool, "set_password", token)


@router.post("/account/password/{token}")
async def post_set_password(request: Request, token: str, resources: ResourcesDep, accounts: AccountsDep) -> Response:
    """Set the new password."""
    check_origin(request, resources.public_url, secret_in_path=True)
    password = _password(await read_form(request))
    try:
        user_id = await set_password(resources.pool, accounts.means, token, password)
    except (LinkRefused, Invalid, PasswordsBusy) as refused:
        return await _show(request, resources.pool, "set_password", token, refused)
    accounts.signed_in.forget_user(user_id)
    return _done(request, "set_password")


def _password(fields: Mapping[str, str]) -> str:
    """Read the password; one that is too long is no password of anybody."""
    return fields.get("password", "")[: PASSWORD_LENGTH_MAX + 1]


async def _show(
    request: Request, pool: Pool, purpose: Purpose, token: str, refused: DomainError | None = None
) -> Response:
    speak = speaker_of(request)
    try:
        user = await open_link(pool, purpose, token)
    except LinkRefused:
        values = {
            "title": speak.gettext("This link does not work any more"),
            "text": speak.gettext("It was used before, or its time is over. Please ask for a new one."),
            "reference": None,
        }
        return render_page(request, "error.html", values, status=410, headers=PRIVATE_HEADERS)
    is_new = purpose == "set_password"
    title = speak.gettext("Set a new password") if is_new else speak.gettext("Confirm your mail address")
    values = {
        "title": title,
        "email": user.email,
        "is_new": is_new,
        "length_min": PASSWORD_LENGTH_MIN,
        "length_max": PASSWORD_LENGTH_MAX,
        "problem": _explain(speak, refused) if refused else None,
    }
    status = status_of(refused) if refused else 200
    return render_page(request, "account_link.html", values, status=status, headers=PRIVATE_HEADERS)


def _done(request: Request, purpose: Purpose) -> Response:
    speak = speaker_of(request)
    if purpose == "set_password":
        title, text = speak.gettext("Your password is set"), speak.gettext("You can sign in with it now.")
    else:
        title, text = speak.gettext("Your address is confirmed"), speak.gettext("You can sign in now.")
    values = {"title": title, "text": text, "link": ("/sign-in", speak.gettext("Sign in"))}
    return render_page(request, "account_done.html", values, headers=PRIVATE_HEADERS)


def _explain(speak: Translator, refused: DomainError) -> str:
    if isinstance(refused, SignInRefused):
        return speak.gettext("This is not the password that you registered with.")
    if isinstance(refused, Invalid):
        return speak.gettext(
            "Please choose another one: at least %(count)s characters, not your address, and not one of those that "
            "everybody uses.",
            count=PASSWORD_LENGTH_MIN,
        )
    return speak.gettext("Please wait a moment, then try again.")
