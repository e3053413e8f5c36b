"""What the routes of accounts share: the parts of the process, who sends a request, and fields of bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import Field, StringConstraints

from fullhouse.identity.find_signed_in import SignedInUsers
from fullhouse.identity.means import Means
from fullhouse.identity.oidc.talk import ProviderLine
from fullhouse.identity.rules import Client, SignInTokens
from fullhouse.infra.http import ApiModel
from fullhouse.infra.languages import language_or_default, negotiate

PasswordText = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""A password as it was typed, spaces and all. What a new one must be, the account's rules say."""

OpaqueText = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""A token or code that was given out before."""

CodeText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=40)]
"""Six digits of an app, or a recovery code."""

AcceptLanguage = Annotated[str | None, Header(max_length=1000)]

LanguageTag = Annotated[
    str | None, Field(pattern="^[A-Za-z]{2}([-_][A-Za-z]{2})?$", description="Of mails. Else by `Accept-Language`.")
]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What one process needs for accounts."""

    means: Means
    signed_in: SignedInUsers
    lines: Mapping[str, ProviderLine]
    """To the providers of identities, by name."""


async def get_accounts(request: Request) -> Accounts:
    """Hand a route what accounts need."""
    accounts: Accounts = request.app.state.accounts
    return accounts


async def get_client(request: Request) -> Client:
    """Tell who sends the request."""
    host = request.client.host if request.client else ""
    return Client(host, request.headers.get("user-agent", ""))


AccountsDep = Annotated[Accounts, Depends(get_accounts)]
ClientDep = Annotated[Client, Depends(get_client)]


class TokensAnswer(ApiModel):
    """What opens the API for a person."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 (the name of the scheme)
    expires_in: int = Field(description="Seconds until the access token ends.")
    refresh_token: str = Field(description="Good once, at `/auth/refresh`.")
    refresh_expires_in: int = Field(description="Seconds until the sign-in ends if it is not refreshed.")


def answer_tokens(tokens: SignInTokens) -> TokensAnswer:
    """Write tokens as an answer, in the names of OAuth 2.0."""
    return TokensAnswer(
        access_token=tokens.access_token,
        expires_in=tokens.access_seconds,
        refresh_token=tokens.refresh_token,
        refresh_expires_in=tokens.refresh_seconds,
    )


def choose_language(asked: str | None, accept_language: str | None) -> str:
    """Choose the language of mails."""
    return language_or_default(asked) if asked else negotiate(accept_language)
