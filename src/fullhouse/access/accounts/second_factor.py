"""Routes for the second factor: setting it up, confirming it, new recovery codes, and switching it off."""

from typing import Annotated

from fastapi import APIRouter

from fullhouse.access.accounts.parts import AccountsDep, ClientDep, CodeText, PasswordText
from fullhouse.access.http import signed_in
from fullhouse.identity.change_password import ask_again
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.second_factor.set_up import (
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    set_up_second_factor,
)
from fullhouse.infra.http import ApiModel, ResourcesDep, problems
from fullhouse.infra.qr import draw_qr_svg

router = APIRouter(tags=["accounts"])
User = Annotated[SignedIn, signed_in()]


class SetUpBody(ApiModel):
    """The password, of who has one."""

    password: PasswordText | None = None


class NewFactorAnswer(ApiModel):
    """What an app needs, shown this once."""

    secret: str
    uri: str
    qr_svg: str


class CodeBody(ApiModel):
    """A code of the app."""

    code: CodeText


class GuardedCodeBody(ApiModel):
    """The password, of who has one, and a code of the app or a recovery code."""

    password: PasswordText | None = None
    code: CodeText


class RecoveryCodesAnswer(ApiModel):
    """Each opens the account once in place of a code. They are shown this once."""

    recovery_codes: list[str]


@router.post("/auth/second-factor", status_code=201, responses=problems(409, 429))
async def post_second_factor(
    body: SetUpBody, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> NewFactorAnswer:
    """Make a secret for an authenticator app (TOTP). It counts once it was confirmed."""
    await ask_again(resources.pool, accounts.means, user, body.password, client)
    made = await set_up_second_factor(resources.pool, accounts.means, user)
    return NewFactorAnswer(secret=made.secret, uri=made.uri, qr_svg=draw_qr_svg(made.uri))


@router.post("/auth/second-factor/confirm", responses=problems(409, 429))
async def post_second_factor_confirm(
    body: CodeBody, user: User, resources: ResourcesDep, accounts: AccountsDep
) -> RecoveryCodesAnswer:
    """Switch the second factor on by its first code. All other sign-ins end."""
    codes = await confirm_second_factor(resources.pool, accounts.means, user, body.code)
    accounts.signed_in.forget_user(user.user_id)
    return RecoveryCodesAnswer(recovery_codes=list(codes))


@router.post("/auth/second-factor/recovery-codes", status_code=201, responses=problems(409, 429))
async def post_recovery_codes(
    body: GuardedCodeBody, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> RecoveryCodesAnswer:
    """Make new recovery codes; those before open nothing."""
    await ask_again(resources.pool, accounts.means, user, body.password, client)
    codes = await renew_recovery_codes(resources.pool, accounts.means, user, body.code)
    return RecoveryCodesAnswer(recovery_codes=list(codes))


@router.post("/auth/second-factor/remove", status_code=204, responses=problems(409, 429))
async def post_second_factor_remove(
    body: GuardedCodeBody, user: User, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> None:
    """Switch the second factor off. All other sign-ins end."""
    await ask_again(resources.pool, accounts.means, user, body.password, client)
    await remove_second_factor(resources.pool, accounts.means, user, body.code)
    accounts.signed_in.forget_user(user.user_id)
