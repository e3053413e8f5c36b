"""Signing in with a mail address and a password."""

from fullhouse.core.errors import DomainError
from fullhouse.identity.give_tokens import give_tokens, hash_network, open_family
from fullhouse.identity.means import Means
from fullhouse.identity.passwords import is_outdated
from fullhouse.identity.queries import find_credentials
from fullhouse.identity.rules import Client, Credentials, SignInRefused, SignInTokens
from fullhouse.identity.tries import FROM_NETWORK, PASSWORD_OF_ACCOUNT, PASSWORD_OF_ACCOUNT_FROM_NETWORK
from fullhouse.identity.writes import replace_password_hash
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction


async def sign_in(pool: Pool, means: Means, email: str, password: str, client: Client) -> SignInTokens:
    """Return the tokens of a new sign-in.

    Whether the address has an account shows neither in the answer nor in how long it takes. Raises ``SignInRefused``,
    ``TooManyTries``, ``PasswordsBusy``.
    """
    credentials = await check_password(pool, means, email, password, client)
    async with transaction(pool, NO_ORGANIZATION) as conn:
        family = await open_family(conn, means, credentials.user_id, client, second_factor=False)
    return await give_tokens(means, credentials.user_id, family)


async def check_password(pool: Pool, means: Means, email: str, password: str, client: Client) -> Credentials:
    """Return whose address and password these are; a failure counts against the budgets of tries.

    From where somebody signed in before, the failures of others are not theirs. Raises as ``sign_in`` does.
    """
    account = email.casefold()
    own = (
        (PASSWORD_OF_ACCOUNT_FROM_NETWORK, f"{account} {network_of(client.address)}"),
        (FROM_NETWORK, network_of(client.address)),
    )
    of_all = (PASSWORD_OF_ACCOUNT, account)
    await means.tries.begin(*own)
    counted = own
    try:
        async with connection(pool, NO_ORGANIZATION) as conn:
            credentials = await find_credentials(conn, email, hash_network(means.server_key, client))
        if credentials is None or not credentials.from_known_network:
            await means.tries.begin(of_all)
            counted = (*own, of_all)
        stored = credentials.password_hash if credentials else None
        good = await means.passwords.verify_password(stored, password)
    except DomainError:
        # Nothing was tried: something of ours was away or busy.
        await means.tries.forgive(*counted)
        raise
    if credentials is None or stored is None or not good:
        raise SignInRefused
    if not (credentials.email_verified or means.signs_in_unverified):
        raise SignInRefused
    await means.tries.forgive(own[0], everything=True)
    await means.tries.forgive(*counted[1:])
    if is_outdated(stored):
        renewed = await means.passwords.hash_password(password)
        async with connection(pool, NO_ORGANIZATION) as conn:
            await replace_password_hash(conn, credentials.user_id, stored, renewed)
    return credentials
