"""The short form of ordering: reserve what an order asks for, leaving out what there is only one of."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.events.form.queries import load_form
from fullhouse.events.queries import load_event, load_terms, load_terms_of_event
from fullhouse.events.rules import EventNotFound, EventStatus, SessionTerms
from fullhouse.infra.directory import find_organization
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection, Pool, connection
from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given, check_given
from fullhouse.orders.rules import choice_needed
from fullhouse.reservations.place_reservation import BoxOffice, Placed
from fullhouse.reservations.rules import ItemRequest, NotOnSale, SessionNotFound


@dataclass(frozen=True, slots=True)
class ShortWish:
    """What the short form asks for: a session, or an event with one that is on sale, and so many tickets."""

    session_id: UUID | None
    event_id: UUID | None
    ticket_type_id: UUID | None
    quantity: int
    given: Given = NOTHING_GIVEN
    code: str | None = None


async def find_seller(pool: Pool, wish: ShortWish) -> UUID:
    """Return whose session or event a wish names. Raises ``SessionNotFound`` and ``EventNotFound``."""
    if wish.session_id is not None:
        organization_id = await find_organization(pool, "session", wish.session_id)
        if organization_id is None:
            raise SessionNotFound
        return organization_id
    assert wish.event_id is not None  # noqa: S101 (one of the two is given)
    organization_id = await find_organization(pool, "event", wish.event_id)
    if organization_id is None:
        raise EventNotFound
    return organization_id


async def reserve_for_order(
    pool: Pool, office: BoxOffice, organization_id: UUID, wish: ShortWish, claim: Claim | None = None
) -> Placed:
    """Reserve for an order that is placed next, under a key derived from the order's own.

    Raises ``ChoiceNeeded`` where something was left out of which there are several, ``SessionNotFound``,
    ``EventNotFound``, ``CodeNotValid``, and the refusals of ``check_given`` and ``place_reservation``.
    """
    async with connection(pool, organization_id) as conn:
        terms = await _session(conn, organization_id, wish)
        form = await load_form(conn, organization_id, terms.event_id)
    item = ItemRequest(_ticket_type(terms, wish), quantity=wish.quantity)
    # Before anything is held: what is refused for its fields will be sent again.
    check_given(form, wish.given, [(item.ticket_type_id, wish.quantity)])
    if claim is None:
        return await office.place_reservation(terms.session_id, (item,), code=wish.code)
    key = _derived(claim.key)
    return await office.place_reservation(terms.session_id, (item,), key, claim.fingerprint, wish.code)


def _derived(key: str) -> str:
    """Derive the key of the reservation; a digest, so that the longest key fits."""
    return f"order:{hashlib.sha256(key.encode()).hexdigest()}"


async def _session(conn: Connection, organization_id: UUID, wish: ShortWish) -> SessionTerms:
    if wish.session_id is not None:
        terms = await load_terms(conn, organization_id, wish.session_id)
        if terms is None:
            raise SessionNotFound
        return terms
    assert wish.event_id is not None  # noqa: S101 (one of the two is given)
    event = await load_event(conn, organization_id, wish.event_id)
    if event is None or event.status is EventStatus.DRAFT:
        raise EventNotFound
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    sessions = await load_terms_of_event(conn, organization_id, wish.event_id)
    on_sale = [terms for terms in sessions if terms.on_sale_at(now)]
    if not on_sale:
        raise NotOnSale
    if len(on_sale) > 1:
        raise choice_needed("session_id", "session", [terms.session_id for terms in on_sale])
    return on_sale[0]


def _ticket_type(terms: SessionTerms, wish: ShortWish) -> UUID:
    if wish.ticket_type_id is not None:
        return wish.ticket_type_id
    if terms.event_status is EventStatus.DRAFT:
        raise NotOnSale
    offered = [one.ticket_type_id for one in terms.ticket_types if one.on_sale and not one.hidden]
    if len(offered) != 1:
        raise choice_needed("ticket_type_id", "ticket type", offered)
    return offered[0]
