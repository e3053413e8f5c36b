"""Reservations: the token opens one and nothing else does; members have no way around it."""

from fullhouse.core.secrets import same_hash


def opens(secret: str, token_hash: bytes) -> bool:
    """Say whether a secret is the one that a reservation was given; where not, answer that there is none."""
    return same_hash(secret, token_hash)
