"""Rendering the pages of accounts: never kept by anybody, with the token that their forms carry."""

from collections.abc import Mapping

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from fullhouse.core.errors import DomainError, Invalid, Kind
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.passwords import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from fullhouse.identity.rules import SecondFactorRefused, SignInAgain, SignInRefused, TooManyTries
from fullhouse.infra.languages import Translator
from fullhouse.web.errors import status_of
from fullhouse.web.pages.account.visitor import form_token
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.render import PRIVATE_HEADERS, render_page


def show_page(
    request: Request,
    template: str,
    values: Mapping[str, object],
    user: SignedIn | None = None,
    refused: DomainError | None = None,
) -> Response:
    """Render a page; a refusal stands at its top, in plain words."""
    speak = speaker_of(request)
    given = {
        "form": form_token(request, user),
        "user": user,
        "problem": explain(speak, refused) if refused else None,
        "length_min": PASSWORD_LENGTH_MIN,
        "length_max": PASSWORD_LENGTH_MAX,
        **values,
    }
    headers = dict(PRIVATE_HEADERS)
    if refused is not None and refused.kind in {Kind.TOO_MANY, Kind.UNAVAILABLE}:
        headers["Retry-After"] = "5"
    return render_page(request, template, given, status=status_of(refused) if refused else 200, headers=headers)


def show_done(request: Request, title: str, text: str) -> Response:
    """Say that something was done, or is under way."""
    return render_page(request, "account_done.html", {"title": title, "text": text}, headers=PRIVATE_HEADERS)


def lead_to(path: str) -> Response:
    """Lead to another page."""
    return RedirectResponse(path, 303, headers=dict(PRIVATE_HEADERS))


def explain(speak: Translator, refused: DomainError) -> str:
    """Say why a form was refused."""
    gettext = speak.gettext
    if isinstance(refused, Invalid):
        if refused.detail.startswith("email"):
            return gettext("Enter an e-mail address, such as ana@example.com.")
        return gettext(
            "Please choose another one: at least %(count)s characters, not your address, and not one of those that "
            "everybody uses.",
            count=PASSWORD_LENGTH_MIN,
        )
    known = {
        SignInRefused.code: gettext("The address or the password is wrong."),
        SecondFactorRefused.code: gettext("This code does not work. Codes are good once, and for half a minute."),
        SignInAgain.code: gettext("Please sign out and in again first, so that it is surely you."),
        TooManyTries.code: gettext("Too many tries. Please wait a little, then try again."),
    }
    return known.get(refused.code) or gettext("Please wait a moment, then try again.")
