"""The page of an invitation: who invites, and as what; accepted by the very account that was invited."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fullhouse.access.http import MembersDep
from fullhouse.core.errors import DomainError
from fullhouse.core.secrets import same_hash
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.languages import Translator
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.organizations.members.accept_invitation import accept_invitation
from fullhouse.organizations.members.invitation_token import read_invitation_token
from fullhouse.organizations.members.queries import load_invitation, load_secret_hash
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import (
    AddressUnverified,
    AlreadyMember,
    Invitation,
    InvitationNotFound,
    InvitationOver,
    InvitationStatus,
    Invitee,
    Organization,
)
from fullhouse.web.errors import status_of
from fullhouse.web.pages.account.cookies import NEXT_SECONDS, Kept, keep_cookie
from fullhouse.web.pages.account.me import role_name
from fullhouse.web.pages.account.show import show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form, visiting, visiting_signed_in
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.render import PRIVATE_HEADERS, render_page

router = APIRouter(route_class=AccountRoute, include_in_schema=False)


@router.get("/invitations/{token}")
async def get_invitation(
    request: Request, token: str, visitor: Annotated[SignedIn | None, visiting()], resources: ResourcesDep
) -> Response:
    """Show who invites, and as what. Looking changes nothing."""
    organization, invitation = await _open(resources.pool, token)
    if visitor is None:
        keep_cookie(request, Kept("next", request.url.path, NEXT_SECONDS))
    return _show(request, organization, invitation, visitor)


@router.post("/invitations/{token}")
async def post_invitation_page(
    request: Request,
    token: str,
    user: Annotated[SignedIn, visiting_signed_in()],
    resources: ResourcesDep,
    members: MembersDep,
) -> Response:
    """Accept."""
    await read_own_form(request, user)
    organization, invitation = await _open(resources.pool, token)
    organization_id, invitation_id, secret = read_invitation_token(token)
    invitee = Invitee(user.user_id, user.email, user.email_verified)
    try:
        async with transaction(resources.pool, organization_id) as conn:
            await accept_invitation(conn, (organization_id, invitation_id), secret, invitee)
    except (InvitationNotFound, AddressUnverified, InvitationOver, AlreadyMember) as refused:
        return _show(request, organization, invitation, user, refused)
    members.forget(organization_id)
    speak = speaker_of(request)
    values = {
        "title": speak.gettext("Welcome to %(organization)s", organization=organization.name),
        "text": speak.gettext("You work there now as: %(role)s.", role=role_name(speak, invitation.role)),
        "link": ("/account", speak.gettext("Your account")),
    }
    return render_page(request, "account_done.html", values, headers=PRIVATE_HEADERS)


async def _open(pool: Pool, token: str) -> tuple[Organization, Invitation]:
    """Return what a link leads to. Raises ``InvitationNotFound``, also for a wrong secret."""
    ids: tuple[UUID, UUID, str] = read_invitation_token(token)
    organization_id, invitation_id, secret = ids
    async with connection(pool, organization_id) as conn:
        secret_hash = await load_secret_hash(conn, organization_id, invitation_id)
        invitation = await load_invitation(conn, organization_id, invitation_id)
        organization = await load_organization(conn, organization_id)
    if invitation is None or organization is None or secret_hash is None or not same_hash(secret, secret_hash):
        raise InvitationNotFound
    return organization, invitation


def _show(
    request: Request,
    organization: Organization,
    invitation: Invitation,
    visitor: SignedIn | None,
    refused: DomainError | None = None,
) -> Response:
    speak = speaker_of(request)
    values = {
        "organization": organization.name,
        "role": role_name(speak, invitation.role),
        "email": invitation.email,
        "until": speak.date(invitation.expires_at, "UTC"),
        "is_open": invitation.status is InvitationStatus.OPEN,
        "is_invited": visitor is not None and visitor.email.lower() == invitation.email.lower(),
        "problem": _explain(speak, refused) if refused else None,
    }
    answer = show_page(request, "invitation.html", values, visitor)
    if refused is not None:
        answer.status_code = status_of(refused)
    return answer


def _explain(speak: Translator, refused: DomainError) -> str:
    if isinstance(refused, AddressUnverified):
        return speak.gettext("Please confirm your mail address first: open the link in the mail that we sent you.")
    if isinstance(refused, AlreadyMember):
        return speak.gettext("You work there already.")
    if isinstance(refused, InvitationOver):
        return speak.gettext("This invitation is over. Ask whoever invited you for another one.")
    return speak.gettext("This invitation is for another address than that of your account.")
