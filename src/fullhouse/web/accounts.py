"""Putting together what accounts need, from the parts of the process and the settings."""

from fullhouse.access.accounts.parts import Accounts
from fullhouse.identity.find_signed_in import SignedInUsers
from fullhouse.identity.means import Means
from fullhouse.identity.oidc.talk import ProviderLine
from fullhouse.identity.passwords import Passwords
from fullhouse.identity.rules import Lifetimes
from fullhouse.identity.tries import Tries
from fullhouse.infra.resources import Resources
from fullhouse.settings import Settings


def open_accounts(resources: Resources, settings: Settings, signed_in: SignedInUsers) -> Accounts:
    """Share the keys of those who are signed in, and start with nothing else."""
    means = Means(
        make_id=resources.make_id,
        randomness=resources.randomness,
        server_key=resources.secret_key,
        keys=signed_in.keys,
        passwords=Passwords(resources.randomness),
        tries=Tries(resources.valkey, resources.clock, enabled=settings.rate_limits),
        lifetimes=Lifetimes(
            access_seconds=settings.access_token_seconds,
            idle_days=settings.sign_in_idle_days,
            total_days=settings.sign_in_days_max,
        ),
        signs_in_unverified=settings.signs_in_unverified(),
    )
    lines = {provider.name: ProviderLine(provider, resources.clock) for provider in settings.providers()}
    return Accounts(means, signed_in, lines)
