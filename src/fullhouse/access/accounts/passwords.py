"""Routes for changing a password, for a forgotten one, and for confirming a mail address."""

from typing import Annotated

from fastapi import APIRouter

from fullhouse.access.accounts.parts import AccountsDep, ClientDep, OpaqueText, PasswordText
from fullhouse.access.http import public, signed_in
from fullhouse.identity.change_password import change_password
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.open_link import ask_for_link, set_password, verify_email
from fullhouse.infra.http import ApiModel, Email, ResourcesDep, problems

router = APIRouter(tags=["accounts"])


class ChangePasswordBody(ApiModel):
    """The present password and the next one; who signed in elsewhere minutes ago may not have one."""

    password: PasswordText | None = None
    new_password: PasswordText


class AddressBody(ApiModel):
    """To whom a link is mailed, if there is an account."""

    email: Email


class ResetPasswordBody(ApiModel):
    """The end of the link that was mailed, and the new password."""

    token: OpaqueText
    password: PasswordText


class VerifyEmailBody(ApiModel):
    """The end of the link that was mailed, and the password that was registered with."""

    token: OpaqueText
    password: PasswordText


@router.post("/auth/password", status_code=204, responses=problems(401, 403, 429))
async def post_password(
    body: ChangePasswordBody,
    user: Annotated[SignedIn, signed_in()],
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
) -> None:
    """Change the password. All other sign-ins end, and a mail tells of it."""
    await change_password(resources.pool, accounts.means, user, (body.password, body.new_password), client)
    accounts.signed_in.forget_user(user.user_id)


@router.post("/auth/password/forgotten", status_code=202, dependencies=[public()], responses=problems(429))
async def post_password_forgotten(
    body: AddressBody, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> None:
    """Have a link mailed that sets a new password. The answer is the same where the address has no account."""
    await ask_for_link(resources.pool, accounts.means, "set_password", body.email, client)


@router.post("/auth/password/reset", status_code=204, dependencies=[public()], responses=problems(409))
async def post_password_reset(body: ResetPasswordBody, resources: ResourcesDep, accounts: AccountsDep) -> None:
    """Set a new password by the token of a mailed link, which works once. All sign-ins end."""
    user_id = await set_password(resources.pool, accounts.means, body.token, body.password)
    accounts.signed_in.forget_user(user_id)


@router.post("/auth/email/verify", status_code=204, dependencies=[public()], responses=problems(401, 409, 429))
async def post_email_verify(
    body: VerifyEmailBody, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> None:
    """Confirm the mail address, by the token of the mailed link and the password."""
    user_id = await verify_email(resources.pool, accounts.means, body.token, body.password, client)
    accounts.signed_in.forget_user(user_id)


@router.post("/auth/email/link", status_code=202, dependencies=[public()], responses=problems(429))
async def post_email_link(body: AddressBody, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep) -> None:
    """Have the link that confirms the address mailed again. The answer is the same where there is none to send."""
    await ask_for_link(resources.pool, accounts.means, "verify_email", body.email, client)
