"""Signing in with a mail address and a password, and a code where the account has a second factor."""

from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.identity.give_tokens import give_tokens, hash_network, open_family
from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.passwords import is_outdated
from fullhouse.identity.queries import find_credentials, load_password_changed_at
from fullhouse.identity.rules import (
    Client,
    Credentials,
    SecondFactorNeeded,
    SecondFactorRefused,
    SignInRefused,
    SignInTokens,
    TooManyTries,
)
from fullhouse.identity.second_factor.challenge import SECONDS, read_challenge, write_challenge
from fullhouse.identity.second_factor.check_code import check_code
from fullhouse.identity.tries import FROM_NETWORK, MAIL, PASSWORD_OF_ACCOUNT, PASSWORD_OF_ACCOUNT_FROM_NETWORK
from fullhouse.identity.writes import replace_password_hash
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction


async def sign_in(
    pool: Pool, means: Means, credentials: tuple[str, str], client: Client, code: str | None = None
) -> SignInTokens:
    """Return the tokens of a new sign-in, by address and password.

    Whether the address has an account shows neither in the answer nor in how long it takes. Raises ``SignInRefused``,
    ``SecondFactorNeeded``, ``SecondFactorRefused``, ``TooManyTries``, ``PasswordsBusy``.
    """
    found = await check_password(pool, means, *credentials, client)
    return await go_on(pool, means, (found.user_id, found.has_second_factor), client, code)


async def go_on(
    pool: Pool, means: Means, user: tuple[UUID, bool], client: Client, code: str | None = None
) -> SignInTokens:
    """Sign in who has shown a first factor: id, and whether the account has a second one. Raises as ``sign_in``."""
    user_id, has_second_factor = user
    if has_second_factor:
        if code is None:
            raise SecondFactorNeeded(challenge=await _challenge(pool, means, user_id), expires_in=SECONDS)
        await check_code(pool, means, user_id, code)
    async with transaction(pool, NO_ORGANIZATION) as conn:
        family = await open_family(conn, means, user_id, client, second_factor=has_second_factor)
    return await give_tokens(means, user_id, family)


async def answer_challenge(pool: Pool, means: Means, text: str, code: str, client: Client) -> SignInTokens:
    """Finish a sign-in with the code that was asked for. Raises ``SecondFactorRefused``, ``TooManyTries``."""
    challenge = read_challenge(means.server_key, text)
    if challenge is None or challenge.expires_at <= await means.keys.now():
        raise SecondFactorRefused
    async with connection(pool, NO_ORGANIZATION) as conn:
        if await load_password_changed_at(conn, challenge.user_id) != challenge.password_changed_at:
            raise SecondFactorRefused
    return await go_on(pool, means, (challenge.user_id, True), client, code)


async def check_password(
    pool: Pool, means: Means, email: str, password: str, client: Client, *, verified_only: bool = True
) -> Credentials:
    """Return whose address and password these are; a failure counts against the budgets of tries.

    From where somebody signed in before, the failures of others are not theirs. Raises as ``sign_in`` does.
    """
    account, network = email.casefold(), network_of(client.address)
    own = ((PASSWORD_OF_ACCOUNT_FROM_NETWORK, f"{account} {network}"), (FROM_NETWORK, network))
    of_all = (PASSWORD_OF_ACCOUNT, account)
    await means.tries.begin(*own)
    counted = own
    try:
        async with connection(pool, NO_ORGANIZATION) as conn:
            found = await find_credentials(conn, email, hash_network(means.server_key, client))
        if found is None or not found.from_known_network:
            await means.tries.begin(of_all)
            counted = (*own, of_all)
        stored = found.password_hash if found else None
        good = await means.passwords.verify_password(stored, password)
    except DomainError:
        # Nothing was tried: something of ours was away or busy.
        await means.tries.forgive(*counted)
        raise
    if found is None or stored is None or not good:
        raise SignInRefused
    if verified_only and not (found.email_verified or means.signs_in_unverified):
        await _mail_again(pool, means, found.email)
        raise SignInRefused
    await means.tries.forgive(own[0], everything=True)
    await means.tries.forgive(*counted[1:])
    if is_outdated(stored):
        renewed = await means.passwords.hash_password(password)
        async with connection(pool, NO_ORGANIZATION) as conn:
            await replace_password_hash(conn, found.user_id, stored, renewed)
    return found


async def _mail_again(pool: Pool, means: Means, email: str) -> None:
    """Send the link to confirm the address to who tries to sign in without having opened it."""
    try:
        await means.tries.begin((MAIL, email.casefold()))
    except TooManyTries:
        return
    async with transaction(pool, NOBODYS_ID) as conn:
        await request_mail(conn, means.make_id, "verify", email)


async def _challenge(pool: Pool, means: Means, user_id: UUID) -> str:
    async with connection(pool, NO_ORGANIZATION) as conn:
        changed_at = await load_password_changed_at(conn, user_id)
    return write_challenge(means.server_key, user_id, changed_at, await means.keys.now(), means.randomness)
