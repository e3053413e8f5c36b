"""Routes for registering, signing in, staying signed in and signing out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from fullhouse.access.accounts.parts import (
    AcceptLanguage,
    AccountsDep,
    ClientDep,
    CodeText,
    LanguageTag,
    OpaqueText,
    PasswordText,
    TokensAnswer,
    answer_tokens,
    choose_language,
)
from fullhouse.access.http import public, read_credential, signed_in
from fullhouse.access.rules import CredentialMissing, CredentialUnknown
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.queries import load_user
from fullhouse.identity.refresh_tokens import refresh_tokens
from fullhouse.identity.register_user import Registration, register_user
from fullhouse.identity.sign_in import answer_challenge, sign_in
from fullhouse.identity.sign_out import sign_out, sign_out_by_token
from fullhouse.infra.http import REPLAYED_HEADER, ApiModel, Email, IdempotencyKey, Line, ResourcesDep, problems
from fullhouse.infra.languages import language_tag
from fullhouse.infra.postgres import NO_ORGANIZATION, connection

router = APIRouter(tags=["accounts"])


class RegisterBody(ApiModel):
    """Who registers."""

    email: Email
    password: PasswordText
    name: Line = ""
    language: LanguageTag = None


class RegisteredAnswer(ApiModel):
    """The same whether or not the address had an account; a mail tells its owner."""

    email: str
    name: str


class LoginBody(ApiModel):
    """Who signs in."""

    email: Email
    password: PasswordText
    code: CodeText | None = Field(default=None, description="Of the second factor, where it is on.")


class ChallengeBody(ApiModel):
    """The `challenge` of a refusal `second_factor_needed`, and a code of the app or a recovery code."""

    challenge: OpaqueText
    code: CodeText


class RefreshBody(ApiModel):
    """The newest refresh token of a sign-in."""

    refresh_token: OpaqueText


class LogoutBody(ApiModel):
    """Which sign-in to end, where no access token is sent."""

    refresh_token: OpaqueText | None = None


class UserAnswer(ApiModel):
    """The person who asks."""

    id: UUID
    email: str
    email_verified: bool
    name: str
    language: str
    second_factor: bool
    """Whether this sign-in was made with one."""
    created_at: datetime


@router.post("/auth/register", status_code=201, dependencies=[public()], responses=problems(429))
async def post_register(
    body: RegisterBody,
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
    accept_language: AcceptLanguage = None,
) -> RegisteredAnswer:
    """Register. Whether the address has an account already is told to its owner, by mail, and to nobody else."""
    language = choose_language(body.language, accept_language)
    registration = Registration(body.email, body.password, body.name, language)
    await register_user(resources.pool, accounts.means, registration, client)
    return RegisteredAnswer(email=body.email, name=body.name)


@router.post("/auth/login", dependencies=[public()], responses=problems(401, 429))
async def post_login(
    body: LoginBody, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> TokensAnswer:
    """Sign in with mail address and password, and a code where the account has a second factor.

    Without the code the refusal is `second_factor_needed`, whose `challenge` goes on at `/auth/login/second-factor`.
    """
    credentials = body.email, body.password
    return answer_tokens(await sign_in(resources.pool, accounts.means, credentials, client, body.code))


@router.post("/auth/login/second-factor", dependencies=[public()], responses=problems(401, 409, 429))
async def post_login_second_factor(
    body: ChallengeBody, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> TokensAnswer:
    """Finish a sign-in with a code."""
    return answer_tokens(await answer_challenge(resources.pool, accounts.means, body.challenge, body.code, client))


@router.post("/auth/refresh", dependencies=[public()], responses=problems(401, 429))
async def post_refresh(
    body: RefreshBody,
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
    response: Response,
    key: IdempotencyKey = None,
) -> TokensAnswer:
    """Exchange a refresh token for the next one and a new access token.

    Each is good once; a second use ends the sign-in, unless it repeats the first with its `Idempotency-Key` within a
    minute.
    """
    tokens, repeated = await refresh_tokens(resources.pool, accounts.means, body.refresh_token, client, key)
    if repeated:
        response.headers[REPLAYED_HEADER] = "true"
    return answer_tokens(tokens)


@router.post("/auth/logout", status_code=204, dependencies=[public()], responses=problems(401))
async def post_logout(
    request: Request, resources: ResourcesDep, accounts: AccountsDep, body: LogoutBody | None = None
) -> None:
    """Sign out, by the refresh token in the body or else by the access token. Both open nothing from then on."""
    if body is not None and body.refresh_token is not None:
        accounts.signed_in.forget(await sign_out_by_token(resources.pool, accounts.means, body.refresh_token))
        return
    credential = read_credential(request.headers)
    if credential is None or credential.scheme != "Bearer":
        raise CredentialMissing(schemes=["Bearer"])
    user = await accounts.signed_in.find_signed_in(credential.value)
    if user is None:
        raise CredentialUnknown(schemes=["Bearer"])
    await sign_out(resources.pool, user.family_id)
    accounts.signed_in.forget(user.family_id)


@router.get("/auth/me")
async def get_me(user: Annotated[SignedIn, signed_in()], resources: ResourcesDep) -> UserAnswer:
    """Show who is asking."""
    async with connection(resources.pool, NO_ORGANIZATION) as conn:
        found = await load_user(conn, user.user_id)
    if found is None:
        raise CredentialUnknown(schemes=["Bearer"])
    return UserAnswer(
        id=found.user_id,
        email=found.email,
        email_verified=found.email_verified_at is not None,
        name=found.name,
        language=language_tag(found.language),
        second_factor=user.second_factor,
        created_at=found.created_at,
    )
