"""Mailing an invitation, once it is written down."""

from email.headerregistry import Address
from email.message import EmailMessage
from uuid import UUID

from fullhouse.infra.languages import translator
from fullhouse.infra.mailer import Mailer
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.organizations.members.invitation_token import invitation_secret, write_invitation_token
from fullhouse.organizations.members.queries import is_invitation_mailed, load_invitation
from fullhouse.organizations.members.writes import mark_mailed
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import Invitation, InvitationStatus, Organization

PATH = "/invitations"
"""Where a person opens an invitation."""


async def mail_invitation(
    pool: Pool, mailer: Mailer, server_key: bytes, public_url: str, ids: tuple[UUID, UUID]
) -> bool:
    """Send the one mail of an invitation, named by organization and id. Returns whether it was sent now.

    Sent at least once and then recorded; nothing is sent for an invitation that is over. Raises ``MailUnavailable``,
    ``MailRefused``.
    """
    organization_id, invitation_id = ids
    async with connection(pool, organization_id) as conn:
        invitation = await load_invitation(conn, organization_id, invitation_id)
        organization = await load_organization(conn, organization_id)
        mailed = await is_invitation_mailed(conn, organization_id, invitation_id)
    if invitation is None or organization is None or mailed or invitation.status is not InvitationStatus.OPEN:
        return False
    token = write_invitation_token(*ids, invitation_secret(server_key, invitation_id))
    await mailer.send(write_invitation(organization, invitation, token, public_url))
    async with transaction(pool, organization_id) as conn:
        await mark_mailed(conn, organization_id, invitation_id)
    return True


def write_invitation(organization: Organization, invitation: Invitation, token: str, public_url: str) -> EmailMessage:
    """Write the mail, in the organization's language. Pure."""
    speak = translator(organization.language)
    name = organization.name
    roles = {
        "owner": speak.gettext("owner"),
        "manager": speak.gettext("manager"),
        "box_office": speak.gettext("box office"),
        "scanner": speak.gettext("scanner"),
    }
    role = roles[invitation.role.value]
    message = EmailMessage()
    host = public_url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0] or "localhost"
    message["Message-ID"] = f"<invitation.{invitation.invitation_id}@{host}>"
    message["Date"] = invitation.created_at
    message["To"] = Address(addr_spec=invitation.email)
    if organization.contact_email:
        message["Reply-To"] = organization.contact_email
    message["Subject"] = speak.gettext("You are invited to %(organization)s", organization=name)
    message["Auto-Submitted"] = "auto-generated"
    parts = [
        speak.gettext("Hello,"),
        speak.gettext("%(organization)s invites you to work with it as: %(role)s.", organization=name, role=role),
        speak.gettext(
            "Open this link, and sign in with the address that this mail came to, or register it first and confirm it:"
        ),
        f"{public_url}{PATH}/{token}",
        speak.gettext(
            "It works until %(date)s, once, and for this address alone. If you did not expect it, do nothing.",
            date=speak.date(invitation.expires_at, "UTC"),
        ),
        name,
    ]
    message.set_content("\n\n".join(parts) + "\n")
    message["Content-Language"] = speak.html_language
    return message
