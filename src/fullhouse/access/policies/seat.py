"""Seats that are kept from the public: who sells them, and until when.

Blocking and unblocking ask for ``stock:block``, selling for ``stock:sell``; here stands what the allocation says.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fullhouse.core.errors import Conflict


class NotInAllocation(Conflict):
    """The allocation does not hold that any more, or never did: ``seats`` and ``quotas`` name what is missing."""

    code = "not_in_allocation"
    title = "The allocation does not keep these places."


def check_sells(
    kept: tuple[Sequence[int], Mapping[UUID, int]], asked: tuple[Sequence[int], Mapping[UUID, int]]
) -> None:
    """Raise ``NotInAllocation`` unless an allocation keeps all seats (by index) and places (by quota) that are asked.

    Places of quotas that the allocation does not count (a ticket type's own limit) are not its business.
    """
    seats, counts = kept
    missing = sorted(set(asked[0]) - set(seats))
    short = {
        str(quota_id): counts[quota_id]
        for quota_id, count in asked[1].items()
        if quota_id in counts and count > counts[quota_id]
    }
    if missing or short:
        raise NotInAllocation(seat_count=len(missing), left=dict(short))
