"""Keeping what a buyer gave with an order, in rows that can be erased."""

from dataclasses import astuple
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import units_of
from fullhouse.orders.persons.rules import Given, answers_of, assign
from fullhouse.orders.writes import insert_answers, insert_consents, insert_holders
from fullhouse.reservations.rules import Reservation


async def keep_given(conn: Connection, order_id: UUID, reservation: Reservation, given: Given) -> None:
    """Write holders, answers and consents. That they fit what is asked was checked before."""
    organization_id = reservation.organization_id
    holders = assign(given.holders, units_of(reservation.items))
    named = [(one.line_number, one.number, one.holder.name) for one in holders if one.holder.name]
    answers = [astuple(answer) for answer in answers_of(given, holders)]
    if named:
        await insert_holders(conn, organization_id, order_id, named)
    if answers:
        await insert_answers(conn, organization_id, order_id, answers)
    if given.consents:
        await insert_consents(conn, organization_id, order_id, given.consents)
