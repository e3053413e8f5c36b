"""Pages of the second factor: setting it up with a QR picture, recovery codes, and switching it off."""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.core.errors import DomainError
from fullhouse.identity.change_password import ask_again
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.passwords import PASSWORD_LENGTH_MAX, PasswordsBusy
from fullhouse.identity.queries import has_password, load_factor
from fullhouse.identity.rules import (
    SecondFactorOff,
    SecondFactorOn,
    SecondFactorRefused,
    SignInAgain,
    SignInRefused,
    TooManyTries,
)
from fullhouse.identity.second_factor.set_up import (
    NewFactor,
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    set_up_second_factor,
)
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.postgres import NO_ORGANIZATION, connection
from fullhouse.infra.qr import draw_qr_svg
from fullhouse.infra.resources import Resources
from fullhouse.web.pages.account.show import lead_to, show_done, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form, visiting_signed_in
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False)

PATH = "/account/second-factor"
_SIZE = re.compile(r'width="(\d+)" height="(\d+)"')
User = Annotated[SignedIn, visiting_signed_in()]
_REFUSALS = (SignInRefused, SignInAgain, SecondFactorRefused, TooManyTries, PasswordsBusy)


@router.get(PATH)
async def get_second_factor(request: Request, user: User, resources: ResourcesDep) -> Response:
    """Show whether it is on, and the forms to change that."""
    return await _show(request, resources, user)


@router.post(PATH)
async def post_second_factor(
    request: Request, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Make a secret for an app, and show it this once."""
    fields = await read_own_form(request, user)
    try:
        await ask_again(resources.pool, accounts.means, user, _password(fields), client)
        made = await set_up_second_factor(resources.pool, accounts.means, user)
    except SecondFactorOn:
        return lead_to(PATH)
    except _REFUSALS as refused:
        return await _show(request, resources, user, refused)
    return _show_secret(request, user, made)


@router.post(PATH + "/confirm")
async def post_confirm(request: Request, user: User, resources: ResourcesDep, accounts: AccountsDep) -> Response:
    """Switch it on by the first code of the app, and show the recovery codes."""
    fields = await read_own_form(request, user)
    try:
        codes = await confirm_second_factor(resources.pool, accounts.means, user, _code(fields))
    except SecondFactorOff:
        return lead_to(PATH)
    except _REFUSALS as refused:
        return _show_secret(request, user, None, refused)
    accounts.signed_in.forget_user(user.user_id)
    return show_page(request, "recovery_codes.html", {"codes": codes, "is_new": True}, user)


@router.post(PATH + "/recovery-codes")
async def post_recovery_codes(
    request: Request, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Make new recovery codes; those before open nothing."""
    fields = await read_own_form(request, user)
    try:
        await ask_again(resources.pool, accounts.means, user, _password(fields), client)
        codes = await renew_recovery_codes(resources.pool, accounts.means, user, _code(fields))
    except SecondFactorOff:
        return lead_to(PATH)
    except _REFUSALS as refused:
        return await _show(request, resources, user, refused)
    return show_page(request, "recovery_codes.html", {"codes": codes, "is_new": False}, user)


@router.post(PATH + "/remove")
async def post_remove(
    request: Request, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Switch it off. All other sign-ins end."""
    fields = await read_own_form(request, user)
    try:
        await ask_again(resources.pool, accounts.means, user, _password(fields), client)
        await remove_second_factor(resources.pool, accounts.means, user, _code(fields))
    except SecondFactorOff:
        return lead_to(PATH)
    except _REFUSALS as refused:
        return await _show(request, resources, user, refused)
    accounts.signed_in.forget_user(user.user_id)
    speak = speaker_of(request)
    text = speak.gettext("From now on signing in takes your password alone.")
    return show_done(request, speak.gettext("Your second factor is off"), text)


async def _show(request: Request, resources: Resources, user: SignedIn, refused: DomainError | None = None) -> Response:
    async with connection(resources.pool, NO_ORGANIZATION) as conn:
        factor = await load_factor(conn, user.user_id)
        knows_password = await has_password(conn, user.user_id)
    values = {"is_on": factor is not None and factor[1], "has_password": knows_password}
    return show_page(request, "second_factor.html", values, user, refused)


def _show_secret(
    request: Request, user: SignedIn, made: NewFactor | None, refused: DomainError | None = None
) -> Response:
    """Ask for the first code. The secret is shown only when it was made: later the app has it."""
    picture = Markup(_scalable(draw_qr_svg(made.uri))) if made else None  # noqa: S704 (drawn here, of modules alone)
    groups = [made.secret[start : start + 4] for start in range(0, len(made.secret), 4)] if made else []
    values = {"picture": picture, "secret": " ".join(groups)}
    return show_page(request, "second_factor_new.html", values, user, refused)


def _scalable(picture: str) -> str:
    """Give a picture the size of what is around it."""
    size = _SIZE.search(picture)
    return picture if size is None else picture.replace(size[0], f'{size[0]} viewBox="0 0 {size[1]} {size[2]}"', 1)


def _password(fields: Mapping[str, str]) -> str:
    return fields.get("password", "")[: PASSWORD_LENGTH_MAX + 1]


def _code(fields: Mapping[str, str]) -> str:
    return fields.get("code", "").strip()[:40]
