"""Giving tickets away: an order of nothing with a reason, placed by the organization itself, paid at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.errors import DomainError, Kind
from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.idempotency import Claim, fingerprint
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given
from fullhouse.orders.place_order import OrderRequest, PlacedOrder, place_order
from fullhouse.orders.rules import Contact, OrderExists
from fullhouse.pricing.codes import OpenedCode
from fullhouse.reservations.place_reservation import BoxOffice, Placed
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import ItemRequest


@dataclass(frozen=True, slots=True)
class Gift:
    """What is given away, to whom, and why."""

    session_id: UUID
    items: Sequence[ItemRequest]
    contact: Contact
    language: str
    reason: str
    given: Given = NOTHING_GIVEN


async def hold_gift(office: BoxOffice, gift: Gift, claim: Claim | None) -> Placed:
    """Hold what is given away, hidden ticket types too, through the session's desk like everything that is sold.

    Raises the refusals of ``place_reservation``.
    """
    opened = OpenedCode(None, None, frozenset(item.ticket_type_id for item in gift.items))
    if claim is None:
        return await office.place_reservation(gift.session_id, gift.items, code=opened)
    key = f"gift:{claim.key[:200]}"
    # Of the places alone: that of the whole body was made of a name, and stands with the order's answer, to be erased.
    places = fingerprint([repr(item) for item in gift.items])
    return await office.place_reservation(gift.session_id, gift.items, key, places, opened)


async def give_tickets(
    conn: Connection, make_id: MakeId, order_key: bytes, organization_id: UUID, gift: Gift, placed: Placed
) -> PlacedOrder:
    """Place the order of what was held for a gift: its total is zero, and it is paid in this transaction.

    Raises the refusals of ``place_order``.
    """
    reservation = placed.reservation
    request = OrderRequest(
        organization_id,
        reservation.reservation_id,
        placed.token,
        gift.contact,
        gift.language,
        gift.given,
        reason=gift.reason,
    )
    done = await place_order(conn, make_id, order_key, request)
    details = {"session_id": str(gift.session_id), "quantity": reservation.quantity}
    await record(conn, organization_id, Act("order.give", "order", done.order.order_id, dict(details)))
    return done


async def take_back(pool: Pool, make_id: MakeId, placed: Placed, refused: DomainError) -> None:
    """Release what was held for an order that was refused for good."""
    if refused.kind is not Kind.UNAVAILABLE and not isinstance(refused, OrderExists):
        reservation = placed.reservation
        async with transaction(pool, reservation.organization_id) as conn:
            await release_reservation(conn, make_id, reservation.organization_id, reservation.reservation_id)
