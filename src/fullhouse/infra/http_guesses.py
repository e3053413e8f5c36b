"""Counting guesses at codes: one budget for each address, whichever route they are tried at."""

from typing import Annotated

from pydantic import StringConstraints
from starlette.types import Scope

from fullhouse.infra.client_address import network_of
from fullhouse.infra.rate_limits import Limits, used_up

CodeText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
"""A code as somebody types it; whether there is such a code is not told by its form."""


async def count_guess(scope: Scope) -> None:
    """Take one of the address's guesses, right or wrong: who would count the wrong ones alone tells which is right.

    Raises ``TooMany`` when none is left.
    """
    limits: Limits = scope["app"].state.limits
    client: tuple[str, int] | None = scope.get("client")
    decision = await limits.take("address.code", f"codes {network_of(client[0] if client else 'unknown')}")
    if not decision.allowed:
        raise used_up(decision)
