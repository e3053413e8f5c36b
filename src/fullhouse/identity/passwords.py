"""Passwords: what is asked of one, and hashing with Argon2id beside the event loop, never more than a few at a time.

Parameters are those that OWASP gives for Argon2id: 19 MiB, two passes, one lane. A stored hash with other ones is
made anew when its owner signs in. The hash of nobody's password is verified where there is none, so that an address
without an account takes as long as one with it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from fullhouse.core.clock import Randomness
from fullhouse.core.errors import Unavailable, invalid_field

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256
RUNNING_MAX = 2
"""Hashes computed at once by a process: each takes 19 MiB and most of a core."""

WAITING_MAX = 40
"""Requests that may wait for their turn: about a second of work. Whoever comes later is asked to try again."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_SALT_BYTES = 16
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$WIp/6jkfgpaYd9kQwdu1VQ$5eAQ0I3C2uMGDlD/1Oob1fJJLpwA0V20Jsf7vT+r/sA"

Result = TypeVar("Result")


class PasswordsBusy(Unavailable):
    """More passwords are being checked than this process does at once."""

    code = "passwords_busy"
    title = "Too many people are signing in at this moment."


class Passwords:
    """Hashes and verifies in a few threads of its own; Argon2 lets other threads run meanwhile."""

    def __init__(self, randomness: Randomness, running_max: int = RUNNING_MAX, waiting_max: int = WAITING_MAX) -> None:
        """Start without threads; they are made when the first password comes."""
        self._randomness = randomness
        self._threads = ThreadPoolExecutor(running_max, thread_name_prefix="passwords")
        self._present_max = running_max + waiting_max
        self._present = 0

    async def hash_password(self, password: str) -> str:
        """Hash a password with a new salt. Raises ``PasswordsBusy``."""
        salt = self._randomness(_SALT_BYTES)
        return await self._run(lambda: _HASHER.hash(as_typed_anywhere(password), salt=salt))

    async def verify_password(self, stored: str | None, password: str) -> bool:
        """Say whether a password is the one that was hashed; without a hash no, as slowly. Raises ``PasswordsBusy``."""
        good = await self._run(lambda: _verify(stored or NOBODYS_HASH, as_typed_anywhere(password)))
        return good and stored is not None

    def close(self) -> None:
        """End the threads; what they compute now is finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._present >= self._present_max:
            raise PasswordsBusy(retry_after_seconds=1)
        future = self._threads.submit(work)
        # Who hangs up is not waited for, but what they asked for is computed and counts until it is.
        self._present += 1
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _done: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(future)

    def _leave(self) -> None:
        self._present -= 1


def is_outdated(stored: str) -> bool:
    """Say whether a hash was made with other parameters than those of now."""
    return _HASHER.check_needs_rehash(stored)


def as_typed_anywhere(password: str) -> str:
    """Return the one spelling of what keyboards and systems write differently (NFKC, as NIST SP 800-63B asks)."""
    return normalize("NFKC", password)


def check_new_password(password: str, email: str, field: str = "password") -> None:
    """Raise ``Invalid`` unless a new password is long enough, not among the 30,000 most common, and not the address.

    There is no rule about kinds of characters: NIST SP 800-63B advises against them.
    """
    plain = as_typed_anywhere(password)
    if not PASSWORD_LENGTH_MIN <= len(plain) <= PASSWORD_LENGTH_MAX:
        raise invalid_field(field, f"A password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters.")
    small = plain.casefold()
    if small in _common_passwords() or len(set(small)) == 1:
        raise invalid_field(field, "This password is among the first that anyone would try.")
    if small in {email.casefold(), email.casefold().partition("@")[0]}:
        raise invalid_field(field, "The password may not be the mail address.")


@cache
def _common_passwords() -> frozenset[str]:
    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= PASSWORD_LENGTH_MIN)


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
