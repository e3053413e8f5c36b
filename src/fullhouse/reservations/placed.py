"""What became of a request for a reservation: for those who wait for it, and for those who are told."""

from collections.abc import Callable
from typing import NamedTuple

from fullhouse.core.errors import DomainError
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.tokens import reservation_secret, write_token
from fullhouse.reservations.wish import Outcome, Wish


class Placed(NamedTuple):
    """A reservation and the token that opens it."""

    reservation: Reservation
    token: str
    replayed: bool


OnPlaced = Callable[[Placed | Exception], None]
"""Told what became of a request. Never raises."""


class RepeatedRefusal(Exception):
    """The request repeats one that was refused, and hears the same again; ``error`` is the refusal."""

    def __init__(self, error: DomainError) -> None:
        """Keep the refusal."""
        super().__init__(str(error))
        self.error = error


def placed_of(token_key: bytes, wish: Wish, secret: str, outcome: Outcome) -> Placed:
    """Return the reservation with its token, or raise what became of the wish instead.

    ``secret`` is that of the reservation which was wished for.
    """
    result = outcome.result
    if isinstance(result, DomainError):
        if outcome.replayed:
            raise RepeatedRefusal(result)
        raise result
    if result.reservation_id != wish.request.reservation_id:
        secret = reservation_secret(token_key, result.reservation_id)
    return Placed(result, write_token(result.session_id, secret), outcome.replayed)


class Telling:
    """Tells who asked, in place of a future and a task that waits for it."""

    __slots__ = ("_heard", "_is_told", "_secret", "_token_key", "_wish")

    def __init__(self, token_key: bytes, wish: Wish, secret: str, heard: OnPlaced) -> None:
        """Take what the answer is made of, and who hears it."""
        self._token_key = token_key
        self._wish = wish
        self._secret = secret
        self._heard = heard
        self._is_told = False

    def done(self) -> bool:
        """Say whether it was told."""
        return self._is_told

    def set_result(self, outcome: Outcome) -> None:
        """Tell what became of the wish."""
        self._is_told = True
        try:
            placed = placed_of(self._token_key, self._wish, self._secret, outcome)
        except (DomainError, RepeatedRefusal) as refused:
            self._heard(refused)
        else:
            self._heard(placed)

    def set_exception(self, error: Exception) -> None:
        """Tell that it went wrong."""
        self._is_told = True
        self._heard(error)
