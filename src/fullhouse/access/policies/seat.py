"""Seats and places that are kept from the public: who blocks them and gives them back, and who sells them meanwhile."""

from uuid import UUID

from fullhouse.access.rules import Asker, Permission
from fullhouse.core.actor import Actor
from fullhouse.core.secrets import same_hash

BLOCK: Permission = "stock:block"


def may_block(actor: Actor, organization_id: UUID) -> bool:
    """Say whether somebody may keep stock of an organization from the public, and give it back."""
    return actor.organization_id == organization_id and BLOCK in actor.permissions


def may_sell(asker: Asker, organization_id: UUID, key_hash: bytes | None) -> bool:
    """Say whether somebody may sell from an allocation that is still blocked; where not, answer that there is none.

    Who sends a key is judged by it, whoever else they may be; an allocation without a key has none that fits. Without
    one it takes the same as blocking: who may keep seats back may also let somebody have them.
    """
    if asker.secret is not None:
        return key_hash is not None and same_hash(asker.secret, key_hash)
    return may_block(asker.actor, organization_id)
