"""Telling who signed in shows an access token."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.identity.queries import LiveFamily, load_live_family
from fullhouse.identity.tokens.access_token import (
    TOKEN_LENGTH_MAX,
    AccessClaims,
    TokenRefused,
    check_instant,
    looks_like_token,
    read_token,
    verify_token,
)
from fullhouse.identity.tokens.signing_keys import SigningKeys
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection

REMEMBERED_SECONDS_MAX = 5
REMEMBERED_COUNT_MAX = 10_000

__all__ = ["SignedIn", "SignedInUsers", "looks_like_token"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, by a sign-in that has not ended."""

    user_id: UUID
    family_id: UUID
    email: str
    email_verified: bool
    second_factor: bool
    """Whether this sign-in was made with a second factor."""


class SignedInUsers:
    """The tokens and sign-ins that this process has seen, so that a request pays neither for a signature nor a query.

    A signature that was found good is remembered until the token expires, as long as its key is published. A sign-in
    is asked for again after five seconds, so one that ended elsewhere is refused here at most so much later.
    """

    def __init__(self, pool: Pool, keys: SigningKeys, clock: Clock) -> None:
        """Start with none."""
        self._pool = pool
        self.keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, tuple[str, AccessClaims]] = OrderedDict()
        self._families: OrderedDict[UUID, tuple[LiveFamily, datetime]] = OrderedDict()

    async def find_signed_in(self, token: str) -> SignedIn | None:
        """Return who shows a token, or None for one that is not good. Raises ``DatabaseUnavailable``."""
        try:
            claims = await self._verify(token)
        except TokenRefused:
            return None
        family = await self._find_family(claims.family_id)
        if family is None or family.user_id != claims.user_id:
            return None
        return SignedIn(
            user_id=family.user_id,
            family_id=family.family_id,
            email=family.email,
            email_verified=family.email_verified,
            second_factor=family.second_factor,
        )

    def forget(self, family_id: UUID) -> None:
        """Ask Postgres again when this sign-in comes next."""
        self._families.pop(family_id, None)

    def forget_user(self, user_id: UUID) -> None:
        """Ask Postgres again when any sign-in of this user comes next."""
        for family_id in [known for known, (family, _) in self._families.items() if family.user_id == user_id]:
            del self._families[family_id]

    async def _verify(self, text: str) -> AccessClaims:
        if len(text) > TOKEN_LENGTH_MAX or not text.isascii():
            raise TokenRefused
        token_hash = sha256(text.encode()).digest()
        remembered = self._verified.pop(token_hash, None)
        if remembered is None:
            unverified = read_token(text)
            key_id = unverified.key_id
            claims = verify_token(unverified, self.keys.issuer, await self._public_key(key_id))
        else:
            key_id, claims = remembered
            # A key may be taken out of use: what it signed is then not good any more.
            await self._public_key(key_id)
        check_instant(claims, await self.keys.now())
        _remember(self._verified, token_hash, (key_id, claims))
        return claims

    async def _public_key(self, key_id: str) -> bytes:
        public_key = await self.keys.find_public_key(key_id)
        if public_key is None:
            raise TokenRefused
        return public_key

    async def _find_family(self, family_id: UUID) -> LiveFamily | None:
        now = self._clock()
        remembered = self._families.get(family_id)
        if remembered is not None and now < remembered[1]:
            return remembered[0]
        self._families.pop(family_id, None)
        async with connection(self._pool, NO_ORGANIZATION) as conn:
            family = await load_live_family(conn, family_id)
        if family is not None:
            _remember(self._families, family_id, (family, now + timedelta(seconds=REMEMBERED_SECONDS_MAX)))
        return family


Key = TypeVar("Key")
Value = TypeVar("Value")


def _remember(known: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    while len(known) >= REMEMBERED_COUNT_MAX:
        known.popitem(last=False)
    known[key] = value
