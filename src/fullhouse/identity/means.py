"""What the verbs of accounts work with, put together once for a process."""

from dataclasses import dataclass, field

from fullhouse.core.clock import Randomness
from fullhouse.core.ids import MakeId
from fullhouse.identity.passwords import Passwords
from fullhouse.identity.rules import Lifetimes
from fullhouse.identity.tokens.signing_keys import SigningKeys
from fullhouse.identity.tries import Tries


@dataclass(frozen=True, slots=True)
class Means:
    """Keys, hashing, budgets, ids and randomness of one process."""

    make_id: MakeId
    randomness: Randomness
    server_key: bytes = field(repr=False)
    keys: SigningKeys
    passwords: Passwords
    tries: Tries
    lifetimes: Lifetimes
    signs_in_unverified: bool = True
    """Whether people may sign in before they have shown that the mail address is theirs."""

    def close(self) -> None:
        """End the threads that hash."""
        self.passwords.close()
