"""Buying where a room has seats, standing areas, or both."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from harness.catalogue import Organizer
from harness.web import Seller
from pages.browsing import Buyer, Form

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.operations.generate_seat_map import generate_seat_map
from fullhouse.seating.publish_seat_map import publish_seat_map
from fullhouse.seating.rules import Area, PriceCategory, SeatMap

ShippedRoom = Literal["theatre", "arena", "club"]
Seated = Callable[[ShippedRoom | SeatMap], Awaitable[tuple[dict[str, Any], SeatMap]]]


@pytest.fixture
def seated(organizer: Organizer, seller: Seller, pool: Pool) -> Seated:
    """Put a session in one of the shipped rooms on sale, at a price for each category and half of it for children."""

    async def make(room: ShippedRoom | SeatMap) -> tuple[dict[str, Any], SeatMap]:
        seat_map = room if isinstance(room, SeatMap) else generate_seat_map(room)
        async with transaction(pool, seller.organization_id) as conn:
            published = await publish_seat_map(conn, system.make_id, seller.organization_id, seat_map)
        keys = [category.key for category in seat_map.price_categories]
        prices = [{"price_category": key, "price_minor": 9000 - 1000 * number} for number, key in enumerate(keys)]
        halves = [{"price_category": key, "price_minor": 4500 - 500 * number} for number, key in enumerate(keys)]
        session = await organizer.on_sale(
            seat_map_id=str(published.seat_map_id),
            ticket_types=[{"name": "Adult", "prices": prices}, {"name": "Child", "prices": halves}],
        )
        return session, published.seat_map

    return make


async def filled(buyer: Buyer, session: dict[str, Any], *counts: int) -> Form:
    """Open the form and ask for so many of each ticket type."""
    form = (await buyer.open(f"/sessions/{session['id']}")).form()
    for kind, count in zip(session["ticket_types"], counts, strict=False):
        form.fields[f"quantity-{kind['id']}"] = str(count)
    form.fields["email"] = "ana.souza@example.com"
    return form


async def seats_of(pool: Pool, session: dict[str, Any]) -> list[int]:
    rows = await pool.fetch(
        "SELECT seat_index FROM seats WHERE session_id = $1::uuid AND state = 1 ORDER BY seat_index", session["id"]
    )
    return [row["seat_index"] for row in rows]


async def test_the_best_seats_of_a_section(buyer: Buyer, seated: Seated, pool: Pool) -> None:
    session, room = await seated("theatre")
    shown = await buyer.open(f"/sessions/{session['id']}")
    assert "Best seats anywhere 1,200 left" in shown.text
    balcony = next(section for section in room.sections if section.name == "Balcony")
    form = await filled(buyer, session, 2, 1)
    assert form.fields["place"] == "best:"
    page = await buyer.send(form, {"place": f"section:{balcony.key}"})
    held = await seats_of(pool, session)
    assert page.title == "Pay for your tickets · Fullhouse"
    assert len(held) == 3
    assert {room.section_of_seat[index].key for index in held} == {balcony.key}
    assert all(room.seats[index].label in page.text for index in held)
    assert not any(room.seats[index].accessible for index in held)
    again = await buyer.open(f"/sessions/{session['id']}")
    assert "Best seats anywhere 1,197 left" in again.text


async def test_wheelchair_places_with_companions(buyer: Buyer, seated: Seated, pool: Pool) -> None:
    session, room = await seated("theatre")
    adult = session["ticket_types"][0]["id"]
    form = await filled(buyer, session, 2)
    too_many = await buyer.send(form, {f"accessible-{adult}": "2", f"companions-{adult}": "1"})
    assert "Wheelchair places and companions are part of the tickets of this type." in too_many.text
    assert '<details class="more" open>' in too_many.answer.text
    assert too_many.form().fields[f"accessible-{adult}"] == "2"
    no_number = await buyer.send(form, {f"accessible-{adult}": "many"})
    assert no_number.status == 422
    assert await seats_of(pool, session) == []
    page = await buyer.send(form, {f"accessible-{adult}": "1", f"companions-{adult}": "1"})
    held = [room.seats[index] for index in await seats_of(pool, session)]
    assert page.status == 200
    assert sorted(seat.accessible for seat in held) == [False, True]
    [wheelchair] = [seat for seat in held if seat.accessible]
    [companion] = [seat for seat in held if not seat.accessible]
    assert companion.key in wheelchair.companions


async def held_in(pool: Pool, session: dict[str, Any], area: Area) -> int:
    held: int = await pool.fetchval(
        "SELECT held FROM quotas WHERE session_id = $1::uuid AND kind = 'area' AND name = $2", session["id"], area.key
    )
    return held


async def test_a_club_has_tables_and_a_floor(buyer: Buyer, seated: Seated, pool: Pool) -> None:
    session, room = await seated("club")
    form = await filled(buyer, session, 3)
    floor = room.areas[-1]
    assert {f"area:{area.key}" for area in room.areas} < set(form.choices["place"])
    page = await buyer.send(form, {"place": f"area:{floor.key}"})
    assert floor.name in page.text
    assert await held_in(pool, session, floor) == 3
    assert await seats_of(pool, session) == []


async def test_standing_areas_alone(buyer: Buyer, seated: Seated, pool: Pool) -> None:
    category = PriceCategory("standing", "Standing")
    pit, terrace = Area("pit", "Pit", 30, "standing"), Area("terrace", "Terrace", 25, "standing")
    session, _ = await seated(SeatMap("Two areas", (category,), (), (pit, terrace)))
    form = await filled(buyer, session, 2)
    assert form.choices["place"] == ["area:pit", "area:terrace"]
    assert "Terrace (standing) 25 left" in (await buyer.open(f"/sessions/{session['id']}")).text
    await buyer.send(form, {"place": "area:terrace"})
    assert (await held_in(pool, session, pit), await held_in(pool, session, terrace)) == (0, 2)
    alone, _ = await seated(SeatMap("One area", (category,), (), (pit,)))
    form = await filled(buyer, alone, 2)
    assert "place" not in form.fields
    assert "Pit" in (await buyer.send(form)).text
    assert await held_in(pool, alone, pit) == 2


async def test_an_arena_has_seats_and_standing_room(buyer: Buyer, seated: Seated) -> None:
    session, room = await seated("arena")
    form = await filled(buyer, session, 1)
    assert room.areas
    assert len(form.choices["place"]) == 1 + len(room.sections) + len(room.areas)
    sitting = await buyer.send(form, {"place": f"section:{room.sections[-1].key}"})
    standing = await buyer.send(form, {"place": f"area:{room.areas[0].key}"})
    assert room.sections[-1].name in sitting.text
    assert room.areas[0].name in standing.text
    too_many = await buyer.send(await filled(buyer, session, 10, 1))
    assert "One order may have at most 10 of these tickets." in too_many.text
