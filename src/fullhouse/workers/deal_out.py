"""Dealing out: which of the messages that were received together go to which hand, and which share a transaction."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.brokers.port import Delivery

Share = Sequence[Delivery]
"""Messages of one organization that one transaction may react to."""


def deal_out(deliveries: Sequence[Delivery], hands: int, together_max: int) -> list[list[Share]]:
    """Divide messages into shares, as many together as may be, and deal these out to at most that many hands.

    No two of them have the same key, so their order among each other means nothing.
    """
    of_organization: defaultdict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        of_organization[delivery.organization_id].append(delivery)
    shares: list[Share] = [
        some[first : first + together_max]
        for some in of_organization.values()
        for first in range(0, len(some), together_max)
    ]
    return [dealt for hand in range(hands) if (dealt := shares[hand::hands])]
