"""My account: where I am signed in, my password, my second factor, and for whom I work."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.access.rules import PERMISSIONS
from fullhouse.core.errors import DomainError, Invalid
from fullhouse.identity.change_password import change_password
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.passwords import PASSWORD_LENGTH_MAX, PasswordsBusy
from fullhouse.identity.queries import LiveSignIn, has_password, list_sign_ins, load_factor, load_user
from fullhouse.identity.rules import SignInAgain, SignInRefused, TooManyTries
from fullhouse.identity.sign_out import sign_out_elsewhere, sign_out_there
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.languages import Translator
from fullhouse.infra.postgres import NO_ORGANIZATION, OfUser, connection
from fullhouse.infra.resources import Resources
from fullhouse.organizations.members.queries import list_own_organizations
from fullhouse.organizations.rules import OwnOrganization, Role
from fullhouse.web.pages.account.clients import client_name
from fullhouse.web.pages.account.show import lead_to, show_done, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, SignInNeeded, read_own_form, visiting_signed_in
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False)

SHOWN_MAX = 50

User = Annotated[SignedIn, visiting_signed_in()]


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A sign-in as it is listed."""

    family_id: UUID
    client: str
    since: str
    used: str
    is_here: bool


@router.get("/account")
async def get_account(request: Request, user: User, resources: ResourcesDep) -> Response:
    """Show the account."""
    return await _show(request, resources, user)


@router.post("/account/password")
async def post_account_password(
    request: Request, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Change the password; all other sign-ins end."""
    fields = await read_own_form(request, user)
    present, new = (fields.get(name, "")[: PASSWORD_LENGTH_MAX + 1] for name in ("password", "new_password"))
    try:
        await change_password(resources.pool, accounts.means, user, (present, new), client)
    except (SignInRefused, SignInAgain, Invalid, TooManyTries, PasswordsBusy) as refused:
        return await _show(request, resources, user, refused)
    accounts.signed_in.forget_user(user.user_id)
    speak = speaker_of(request)
    text = speak.gettext("You stay signed in here, and were signed out everywhere else.")
    return show_done(request, speak.gettext("Your password is changed"), text)


@router.post("/account/sign-ins/{family_id}/end")
async def post_end_sign_in(
    request: Request, family_id: UUID, user: User, resources: ResourcesDep, accounts: AccountsDep
) -> Response:
    """Sign out there. What is nobody's, or somebody else's, stays as it is."""
    await read_own_form(request, user)
    if await sign_out_there(resources.pool, user.user_id, family_id):
        accounts.signed_in.forget(family_id)
    return lead_to("/account")


@router.post("/account/sign-ins/end")
async def post_end_other_sign_ins(
    request: Request, user: User, resources: ResourcesDep, accounts: AccountsDep
) -> Response:
    """Sign out everywhere else."""
    await read_own_form(request, user)
    await sign_out_elsewhere(resources.pool, user.user_id, user.family_id)
    accounts.signed_in.forget_user(user.user_id)
    return lead_to("/account")


async def _show(request: Request, resources: Resources, user: SignedIn, refused: DomainError | None = None) -> Response:
    speak = speaker_of(request)
    async with connection(resources.pool, NO_ORGANIZATION) as conn:
        found = await load_user(conn, user.user_id)
        factor = await load_factor(conn, user.user_id)
        knows_password = await has_password(conn, user.user_id)
        sign_ins = await list_sign_ins(conn, user.user_id, SHOWN_MAX)
    async with connection(resources.pool, OfUser(user.user_id)) as conn:
        organizations = await list_own_organizations(conn, user.user_id, after=None, limit=SHOWN_MAX)
    if found is None:
        raise SignInNeeded
    values = {
        "name": found.name,
        "is_verified": user.email_verified,
        "has_factor": factor is not None and factor[1],
        "has_password": knows_password,
        "sign_ins": [_row(one, user, speak) for one in sign_ins],
        "organizations": [
            (one.organization.name, role_name(speak, one.role), _pages_of(one, speak)) for one in organizations
        ],
    }
    return show_page(request, "account.html", values, user, refused)


def _pages_of(one: OwnOrganization, speak: Translator) -> list[tuple[str, str]]:
    """Return the pages of an organization, for those whose role opens them."""
    pages = (("price:write", "codes", speak.gettext("Codes")), ("order:give", "gifts", speak.gettext("Give tickets")))
    path = f"/organizer/{one.organization.organization_id}"
    return [(f"{path}/{page}", name) for may, page, name in pages if may in PERMISSIONS[one.role]]


def role_name(speak: Translator, role: Role) -> str:
    """Name a role, as people say it."""
    names = {
        Role.OWNER: speak.gettext("owner"),
        Role.MANAGER: speak.gettext("manager"),
        Role.BOX_OFFICE: speak.gettext("box office"),
        Role.SCANNER: speak.gettext("scanner"),
    }
    return names[role]


def _row(one: LiveSignIn, user: SignedIn, speak: Translator) -> SignInRow:
    return SignInRow(
        family_id=one.family_id,
        client=client_name(one.client) or speak.gettext("A program without a name"),
        since=speak.short_date(one.created_at, "UTC"),
        used=speak.short_date(one.refreshed_at, "UTC"),
        is_here=one.family_id == user.family_id,
    )
