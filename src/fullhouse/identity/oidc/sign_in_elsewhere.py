"""Signing in by a provider: beginning there, and finishing here."""

# authlib carries no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from fullhouse.core.secrets import hash_secret
from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.oidc.read_id_token import Identity, read_id_token
from fullhouse.identity.oidc.talk import ProviderLine
from fullhouse.identity.queries import find_identity, find_user, load_factor
from fullhouse.identity.rules import Client, EmailUnverified, ProviderRefused, SignInTokens, checked_email
from fullhouse.identity.second_factor.writes import delete_second_factor
from fullhouse.identity.sign_in import go_on
from fullhouse.identity.tokens.sealing import seal, unseal
from fullhouse.identity.tries import FROM_NETWORK
from fullhouse.identity.writes import (
    StoredAttempt,
    drop_password,
    insert_attempt,
    insert_identity,
    insert_user,
    mark_verified,
    revoke_families,
    take_attempt,
)
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, connection, transaction

ATTEMPT_SECONDS = 600
SCOPE = "openid email profile"
_PURPOSE = "provider-attempt"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider sent the browser back with."""

    code: str
    state: str
    browser: str
    """The secret that the browser was given when it began: without it somebody else's answer is planted here."""


async def begin_elsewhere(pool: Pool, means: Means, line: ProviderLine, redirect_uri: str, browser: str) -> str:
    """Return the address at the provider where the person goes on. Raises ``ProviderUnreachable``."""
    description = await line.describe()
    state, nonce, verifier = (_random(means) for _ in range(3))
    state_hash = hash_secret(state)
    sealed = seal(means.server_key, _PURPOSE, json.dumps([nonce, verifier]).encode(), state_hash, means.randomness)
    attempt = StoredAttempt(line.provider.name, sealed, hash_secret(browser))
    async with connection(pool, NO_ORGANIZATION) as conn:
        await insert_attempt(conn, state_hash, attempt, ATTEMPT_SECONDS)
    query = {
        "response_type": "code",
        "client_id": line.provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    separator = "&" if "?" in description.authorization_endpoint else "?"
    return f"{description.authorization_endpoint}{separator}{urlencode(query)}"


async def finish_elsewhere(
    pool: Pool, means: Means, line: ProviderLine, answer: Answer, about: tuple[str, Client]
) -> SignInTokens:
    """Sign in whom the provider means. ``about`` is the redirect URI, and who asks.

    An attempt counts once, from the browser that began it. Raises ``ProviderRefused``, ``ProviderUnreachable``,
    ``EmailUnverified``, ``SecondFactorNeeded``.
    """
    redirect_uri, client = about
    await means.tries.begin((FROM_NETWORK, network_of(client.address)))
    state_hash = hash_secret(answer.state)
    async with connection(pool, NO_ORGANIZATION) as conn:
        attempt = await take_attempt(conn, state_hash)
    if attempt is None or attempt.provider != line.provider.name:
        raise ProviderRefused
    opened = unseal(means.server_key, _PURPOSE, attempt.sealed, state_hash)
    if opened is None or not hmac.compare_digest(hash_secret(answer.browser), attempt.browser_hash):
        raise ProviderRefused
    nonce, verifier = json.loads(opened)
    text = await line.exchange_code(answer.code, verifier, redirect_uri)
    identity = await _believe(means, line, text, nonce)
    user_id, has_second_factor = await _find_or_link(pool, means, line.provider.issuer, identity)
    await means.tries.forgive((FROM_NETWORK, network_of(client.address)))
    return await go_on(pool, means, (user_id, has_second_factor), client)


async def _believe(means: Means, line: ProviderLine, text: str, nonce: str) -> Identity:
    now = await means.keys.now()
    try:
        return read_id_token(text, await line.fetch_keys(), line.provider, nonce, now)
    except ProviderRefused:
        # Its keys may have been changed since they were read.
        return read_id_token(text, await line.fetch_keys(anew=True), line.provider, nonce, now)


async def _find_or_link(pool: Pool, means: Means, issuer: str, identity: Identity) -> tuple[UUID, bool]:
    """Return the user whom an identity means, and whether they have a second factor.

    One that is new here belongs to whoever has its address, which the provider must have verified.
    """
    async with transaction(pool, NOBODYS_ID) as conn:
        user_id = await find_identity(conn, issuer, identity.subject)
        if user_id is None:
            user_id = await _link(conn, means, issuer, identity)
        factor = await load_factor(conn, user_id)
    return user_id, factor is not None and factor[1]


async def _link(conn: Connection, means: Means, issuer: str, identity: Identity) -> UUID:
    if identity.email is None or not identity.email_verified:
        raise EmailUnverified
    email = checked_email(identity.email)
    is_new = await insert_user(conn, means.make_id(), email, identity.name)
    user = await find_user(conn, email)
    if user is None:
        raise LookupError("a user that is there was not found")
    if await mark_verified(conn, user.user_id) and not is_new:
        # Whoever registered with this address never showed that it is theirs: what they set up is not the owner's.
        await drop_password(conn, user.user_id)
        await delete_second_factor(conn, user.user_id)
        await revoke_families(conn, user.user_id, except_family=None)
    await insert_identity(conn, issuer, identity.subject, user.user_id)
    if not is_new:
        await request_mail(conn, means.make_id, "provider_linked", user.email)
    return user.user_id


def _random(means: Means) -> str:
    return urlsafe_b64encode(means.randomness(32)).rstrip(b"=").decode()
