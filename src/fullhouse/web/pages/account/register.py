"""Registering, asking for the link that confirms the address, and for one that sets a new password."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.access.http import public
from fullhouse.core.errors import Invalid
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.open_link import ask_for_link
from fullhouse.identity.passwords import PASSWORD_LENGTH_MAX, PasswordsBusy
from fullhouse.identity.register_user import Registration, register_user
from fullhouse.identity.rules import TooManyTries
from fullhouse.infra.http import ResourcesDep
from fullhouse.orders.rules import check_contact
from fullhouse.web.pages.account.show import show_done, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form, visiting_signed_in
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False)


@router.get("/register", dependencies=[public()])
async def get_register(request: Request) -> Response:
    """Show the form."""
    return show_page(request, "register.html", {"email": "", "name": ""})


@router.post("/register", dependencies=[public()])
async def post_register(
    request: Request, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Register. Whether the address has an account already, its owner hears by mail, and nobody else."""
    fields = await read_own_form(request)
    speak = speaker_of(request)
    email, name = fields.get("email", "").strip()[:255], fields.get("name", "").strip()
    password = fields.get("password", "")[: PASSWORD_LENGTH_MAX + 1]
    try:
        contact = check_contact(email, name)
        registration = Registration(contact.email, password, contact.name, speak.language)
        await register_user(resources.pool, accounts.means, registration, client)
    except (Invalid, TooManyTries, PasswordsBusy) as refused:
        return show_page(request, "register.html", {"email": email, "name": name[:200]}, None, refused)
    text = speak.gettext("We have sent you a mail. Open the link in it to confirm your address, and then sign in.")
    return show_done(request, speak.gettext("Look into your mailbox"), text)


@router.get("/account/forgotten", dependencies=[public()])
async def get_forgotten(request: Request) -> Response:
    """Show the form."""
    return show_page(request, "forgotten.html", {"email": ""})


@router.post("/account/forgotten", dependencies=[public()])
async def post_forgotten(
    request: Request, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Have a link mailed that sets a new password, if the address has an account: the answer is the same."""
    fields = await read_own_form(request)
    speak = speaker_of(request)
    email = fields.get("email", "").strip()[:255]
    try:
        check_contact(email, "")
        await ask_for_link(resources.pool, accounts.means, "set_password", email, client)
    except (Invalid, TooManyTries) as refused:
        return show_page(request, "forgotten.html", {"email": email}, None, refused)
    text = speak.gettext("If this address has an account, a mail with a link is on its way to it.")
    return show_done(request, speak.gettext("Look into your mailbox"), text)


@router.post("/account/verify")
async def post_verify_again(
    request: Request,
    user: Annotated[SignedIn, visiting_signed_in()],
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
) -> Response:
    """Have the link that confirms the address mailed again."""
    await read_own_form(request, user)
    await ask_for_link(resources.pool, accounts.means, "verify_email", user.email, client)
    speak = speaker_of(request)
    text = speak.gettext("Open the link in the mail to confirm your address.")
    return show_done(request, speak.gettext("Look into your mailbox"), text)
