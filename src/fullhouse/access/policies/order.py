"""Orders: the secret opens one, or a place in its organization. Its tickets and payments open with it."""

from uuid import UUID

from fullhouse.access.rules import Asker
from fullhouse.core.secrets import same_hash


def opens(asker: Asker, organization_id: UUID, secret_hash: bytes) -> bool:
    """Say whether somebody may open an order of an organization; where not, answer that there is no such thing.

    Who sends a secret is judged by it, whoever else they may be. A member's permission was checked before.
    """
    if asker.secret is not None:
        return same_hash(asker.secret, secret_hash)
    return asker.actor.organization_id == organization_id
