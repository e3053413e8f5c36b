"""Keeping what buyers gave with their orders, in rows that can be erased."""

from collections.abc import Sequence
from dataclasses import astuple
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import units_of
from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given, answers_of, assign
from fullhouse.orders.writes import Said, insert_said
from fullhouse.reservations.rules import Reservation


async def keep_given(conn: Connection, organization_id: UUID, given: Sequence[tuple[UUID, Reservation, Given]]) -> None:
    """Write holders, answers and consents of orders, each by its id. That they fit what is asked was checked before."""
    said = [_said(order_id, reservation, one) for order_id, reservation, one in given if one != NOTHING_GIVEN]
    if said:
        await insert_said(conn, organization_id, said)


def _said(order_id: UUID, reservation: Reservation, given: Given) -> Said:
    holders = assign(given.holders, units_of(reservation.items))
    named = [(one.line_number, one.number, one.holder.name) for one in holders if one.holder.name]
    return Said(order_id, named, [astuple(answer) for answer in answers_of(given, holders)], given.consents)
