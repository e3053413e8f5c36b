"""Refunds: above the organization's limit one needs an owner."""

from fullhouse.access.rules import Permission
from fullhouse.core.actor import Actor
from fullhouse.core.errors import Forbidden

UNLIMITED: Permission = "refund:unlimited"


class RefundAboveLimit(Forbidden):
    """With what was refunded of the order before, this passes ``limit_minor``, and the actor is no owner."""

    code = "refund_above_limit"
    title = "A refund of this size needs an owner."


def check_refund(actor: Actor, limit_minor: int | None, *, before_minor: int, amount_minor: int) -> None:
    """Raise ``RefundAboveLimit`` where a refund passes the limit and the actor may not.

    Amounts count for an order as a whole, so that parts of it add up. ``limit_minor`` None: there is no limit.
    """
    if limit_minor is None or UNLIMITED in actor.permissions or before_minor + amount_minor <= limit_minor:
        return
    raise RefundAboveLimit(limit_minor=limit_minor, before_minor=before_minor, amount_minor=amount_minor)
