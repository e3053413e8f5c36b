"""What is left of a session: right at once, one body for each version, and the same without Valkey."""

import asyncio
import json
from base64 import b64decode
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from harness.catalogue import API, Organizer, made
from harness.stock import box_office, rectangle
from harness.web import Seller
from valkey.asyncio import Valkey

from fullhouse.catalogue.availability import pack_seats
from fullhouse.catalogue.make_availability import make_availability
from fullhouse.catalogue.seat_states import SeatStates
from fullhouse.catalogue.show_availability import AvailabilityBoard
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.system import now
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import BestAvailable, ItemRequest
from fullhouse.seating.publish_seat_map import publish_seat_map
from fullhouse.seating.rules import Area, SeatMap
from fullhouse.seating.rules import PriceCategory as MapCategory


def unpack(text: str) -> list[int]:
    """Read two bits a seat, low bits first."""
    return [byte >> shift & 3 for byte in b64decode(text) for shift in (0, 2, 4, 6)]


async def look(client: httpx.AsyncClient, session: dict[str, Any]) -> dict[str, Any]:
    return await made(await client.get(f"{API}/sessions/{session['id']}/availability"), 200)


async def lapse(pool: Pool, reservation: dict[str, Any]) -> None:
    """Let the time of a hold run out, as if it had been held long ago."""
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() - interval '1 second' WHERE reservation_id = $1",
        UUID(reservation["id"]),
    )


def hall() -> SeatMap:
    """Make a room of 3 rows of 5 seats, and standing room for 40 in front of the stage."""
    room = rectangle(3, 5)
    return SeatMap(
        f"Hall {uuid4().hex}",
        (*room.price_categories, MapCategory("pit", "Pit"), MapCategory("unsold", "Technicians")),
        room.sections,
        (Area("front", "Front of stage", 40, "pit"),),
    )


async def seated(organizer: Organizer, pool: Pool, seller: Seller, **changes: Any) -> dict[str, Any]:  # JSON
    """Put a session in the hall on sale."""
    async with transaction(pool, seller.organization_id) as conn:
        published = await publish_seat_map(conn, system.make_id, seller.organization_id, hall())
    prices = [{"price_category": "stalls", "price_minor": 3000}, {"price_category": "pit", "price_minor": 1000}]
    body = {
        "seat_map_id": str(published.seat_map_id),
        "ticket_types": [{"name": "Adult", "prices": prices}],
        **changes,
    }
    return await organizer.on_sale(**body)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 15])
def test_seats_are_packed_low_bits_first(count: int) -> None:
    states = bytes((number * 7 + 1) % 4 for number in range(count))
    packed = pack_seats(states)
    assert len(packed) == (count + 3) // 4
    assert [packed[i // 4] >> i % 4 * 2 & 3 for i in range(count)] == list(states)


def test_four_seats_are_one_byte() -> None:
    assert pack_seats(bytes([0, 1, 2, 3])) == bytes([0b11_10_01_00])
    assert len(pack_seats(bytes(20_000))) == 5_000


async def test_answer_is_that_of_the_contract(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    session = await organizer.on_sale()
    type_id = session["ticket_types"][0]["id"]
    category = session["price_categories"][0]
    assert await look(anyone, session) == {
        "version": 2,
        "map_version": None,
        "on_sale": True,
        "ticket_types": [
            {
                "id": type_id,
                "name": "Adult",
                "price_minor": 2500,
                "total_minor": 2500,
                "prices": [
                    {
                        "price_category_id": category["id"],
                        "price_category": "ticket-type-1",
                        "name": "Adult",
                        "price_minor": 2500,
                        "total_minor": 2500,
                        "charges": [],
                        "available": 100,
                    }
                ],
                "available": 100,
            }
        ],
        "areas": [],
        "seats": None,
    }


async def test_seats_and_areas_are_counted_from_the_map(
    organizer: Organizer, anyone: httpx.AsyncClient, pool: Pool, seller: Seller
) -> None:
    session = await seated(organizer, pool, seller)
    assert {one["name"]: (one["kind"], one["capacity"]) for one in session["quotas"]} == {
        "stalls": ("category", 15),
        "pit": ("category", 40),
        "unsold": ("category", 0),
        "front": ("area", 40),
    }
    assert session["available"] == 55
    before = await look(anyone, session)
    assert (before["map_version"], before["areas"]) == (1, [{"key": "front", "available": 40}])
    assert unpack(before["seats"]) == [0] * 16
    assert (await organizer.hold(session, seats=["1-2", "3-5"])).status_code == 201
    assert (await organizer.hold(session, 4, area="front")).status_code == 201
    after = await look(anyone, session)
    assert after["version"] > before["version"]
    assert [i for i, state in enumerate(unpack(after["seats"])) if state == 1] == [1, 14]
    assert [(one["price_category"], one["available"]) for one in after["ticket_types"][0]["prices"]] == [
        ("stalls", 13),
        ("pit", 36),
    ]
    assert after["areas"] == [{"key": "front", "available": 36}]
    assert after["ticket_types"][0]["available"] == 49


async def test_category_of_a_map_may_be_lowered_and_never_raised(
    organizer: Organizer, pool: Pool, seller: Seller
) -> None:
    session = await seated(
        organizer, pool, seller, price_categories=[{"key": "stalls", "name": "Plateia", "capacity": 10}]
    )
    assert session["ticket_types"][0]["prices"][0]["available"] == 10
    assert session["price_categories"][0]["name"] == "Plateia"
    raised = await organizer.change(session, price_categories=[{"key": "stalls", "capacity": 16}])
    assert (raised.status_code, raised.json()["code"], raised.json()["room"]) == (409, "above_room_capacity", 15)
    raised = await organizer.change(session, areas=[{"key": "front", "capacity": 41}])
    assert (raised.status_code, raised.json()["code"], raised.json()["room"]) == (409, "above_room_capacity", 40)
    lowered = await organizer.change(session, areas=[{"key": "front", "capacity": 3}])
    assert lowered.status_code == 200
    assert (await organizer.hold(session, 4, area="front")).json()["code"] == "sold_out"
    unknown = await organizer.change(session, price_categories=[{"key": "roof", "capacity": 1}])
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "price_categories[0].key")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price_categories": [{"key": "roof"}]}, "price_categories[0].key"),
        ({"price_categories": [{"key": "stalls", "capacity": 16}]}, "price_categories[0].capacity"),
        ({"ticket_types": [{"name": "A", "price_minor": 1, "capacity": 1}]}, "ticket_types[0].price_minor"),
    ],
)
async def test_session_must_fit_its_map(
    organizer: Organizer, pool: Pool, seller: Seller, changes: dict[str, Any], field: str
) -> None:
    async with transaction(pool, seller.organization_id) as conn:
        published = await publish_seat_map(conn, system.make_id, seller.organization_id, hall())
    prices = [{"price_category": "stalls", "price_minor": 3000}]
    body = {"seat_map_id": str(published.seat_map_id), "ticket_types": [{"name": "A", "prices": prices}], **changes}
    refused = await organizer.try_session(await organizer.event(), **body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


async def test_lapsed_holds_are_available_before_they_are_swept(
    organizer: Organizer, anyone: httpx.AsyncClient, pool: Pool, seller: Seller
) -> None:
    session = await seated(organizer, pool, seller)
    held = (await organizer.hold(session, seats=["1-1", "1-2"])).json()
    kept = (await organizer.hold(session, seats=["1-3"])).json()
    shown = await look(anyone, session)
    assert unpack(shown["seats"])[:4] == [1, 1, 1, 0]
    await lapse(pool, held)
    # The stock did not move: a process that has no body for this version yet makes it with the lapsed hold given back.
    board = AvailabilityBoard(pool, Valkey(port=1), now)
    body = json.loads((await board.show_availability(UUID(session["id"]))).body)
    assert body["version"] == shown["version"]
    assert unpack(body["seats"])[:4] == [0, 0, 1, 0]
    assert body["ticket_types"][0]["prices"][0]["available"] == 14
    event = await made(await anyone.get(f"{API}/events/{session['event_id']}"), 200)
    assert event["sessions"][0]["available"] == 54
    assert kept["status"] == "held"


async def test_body_lasts_until_the_next_hold_lapses_or_sales_change(organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale(sales_until_local="2031-07-01T10:00")
    board = AvailabilityBoard(pool, Valkey(port=1), now)
    shown = await board.show_availability(UUID(session["id"]))
    assert shown.valid_until is not None
    assert shown.valid_until.isoformat() == "2031-07-01T09:00:00+00:00"
    held = (await organizer.hold(session)).json()
    board.note_written()
    shown = await board.show_availability(UUID(session["id"]))
    assert shown.valid_until is not None
    assert shown.valid_until.isoformat().startswith(held["expires_at"][:19])


async def test_etag_spares_the_body_until_something_changes(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    session = await organizer.on_sale()
    path = f"{API}/sessions/{session['id']}/availability"
    first = await anyone.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = await anyone.get(path, headers={"If-None-Match": sent})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (await organizer.hold(session)).status_code == 201
    changed = await anyone.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_answer_is_right_at_once_after_every_change(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    session = await organizer.on_sale()
    for sold in range(1, 6):
        assert (await organizer.hold(session)).status_code == 201
        answers = await asyncio.gather(*(look(anyone, session) for _ in range(20)))
        assert {answer["ticket_types"][0]["available"] for answer in answers} == {100 - sold}


async def test_other_processes_take_the_body_from_valkey_and_make_it_again_after_a_flush(
    organizer: Organizer, pool: Pool, valkey: Valkey
) -> None:
    session = await organizer.on_sale()
    session_id = UUID(session["id"])
    name = f"{{session:{session_id}}}:available"
    made_here = await AvailabilityBoard(pool, valkey, now).show_availability(session_id)
    kept = cast("bytes", await valkey.get(name))
    assert kept.endswith(made_here.body)
    assert 0 < await valkey.ttl(name) <= 3600
    marked = kept.replace(b'"Adult"', b'"Other"')
    await valkey.set(name, marked)
    assert b'"Other"' in (await AvailabilityBoard(pool, valkey, now).show_availability(session_id)).body
    for broken in (b"", b"\n", b"{}\n{}", b"\xff\xfe", marked.replace(b'"valid_until"', b'"until"')):
        await valkey.set(name, broken)
        assert (await AvailabilityBoard(pool, valkey, now).show_availability(session_id)).body == made_here.body
    await valkey.flushdb()
    assert (await AvailabilityBoard(pool, valkey, now).show_availability(session_id)).body == made_here.body
    assert await valkey.get(name) == kept
    assert (await organizer.hold(session)).status_code == 201
    await valkey.set(name, marked)
    newer = await AvailabilityBoard(pool, valkey, now).show_availability(session_id)
    assert newer.version == made_here.version + 1
    assert b'"Other"' not in newer.body


async def test_without_valkey_the_answer_is_the_same(organizer: Organizer, pool: Pool, valkey: Valkey) -> None:
    session = await organizer.on_sale()
    with_it = await AvailabilityBoard(pool, valkey, now).show_availability(UUID(session["id"]))
    without = await AvailabilityBoard(pool, Valkey(port=1), now).show_availability(UUID(session["id"]))
    assert (without.body, without.etag) == (with_it.body, with_it.etag)


@pytest.mark.parametrize(("rows", "per_row"), [(1, 4), (50, 40)])
async def test_statements_do_not_grow_with_the_room(
    organizer: Organizer, pool: Pool, seller: Seller, rows: int, per_row: int
) -> None:
    async with transaction(pool, seller.organization_id) as conn:
        published = await publish_seat_map(conn, system.make_id, seller.organization_id, rectangle(rows, per_row))
    prices = [{"price_category": "stalls", "price_minor": 3000}]
    session = await organizer.on_sale(
        seat_map_id=str(published.seat_map_id), ticket_types=[{"name": "Adult", "prices": prices}]
    )
    board = AvailabilityBoard(pool, Valkey(port=1), now)
    statements: list[str] = []
    async with connection(pool, seller.organization_id) as conn:
        with cast("Any", conn).query_logger(lambda logged: statements.append(logged.query)):
            shown, _ = await make_availability(conn, seller.organization_id, UUID(session["id"]))
    assert len(statements) == 9
    assert len(b64decode(json.loads(shown.body)["seats"])) == rows * per_row // 4
    assert (await board.show_availability(UUID(session["id"]))).body == shown.body


async def test_what_changed_since_is_added_to_what_is_known(
    organizer: Organizer, pool: Pool, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the changes are gone, or are too many; and who held and let go leaves no trace."""
    async with transaction(pool, seller.organization_id) as conn:
        published = await publish_seat_map(conn, system.make_id, seller.organization_id, rectangle(3, 10))
    prices = [{"price_category": "stalls", "price_minor": 3000}]
    session = await organizer.on_sale(
        seat_map_id=str(published.seat_map_id), ticket_types=[{"name": "Adult", "prices": prices}]
    )
    session_id, type_id = UUID(session["id"]), UUID(session["ticket_types"][0]["id"])
    office = box_office(pool)

    async def hold(key: str) -> UUID:
        placed = await office.place_reservation(
            session_id, (ItemRequest(type_id, best_available=BestAvailable(3)),), key, b""
        )
        return placed.reservation.reservation_id

    async def make(known: SeatStates | None) -> tuple[bytes, SeatStates]:
        async with transaction(pool, seller.organization_id) as conn:
            shown, seats = await make_availability(conn, seller.organization_id, session_id, known)
        assert seats is not None
        return shown.body, seats

    _, known = await make(None)
    assert known.states == bytes(30)
    dropped = await hold("one")
    await hold("two")
    async with transaction(pool, seller.organization_id) as conn:
        assert await release_reservation(conn, system.make_id, seller.organization_id, dropped)
    anew = await make(None)
    assert anew[1].states.count(1) == 3
    assert await make(known) == anew
    assert await make(anew[1]) == anew
    monkeypatch.setattr("fullhouse.catalogue.seat_states.CHANGES_MAX", 1)
    assert await make(known) == anew
    monkeypatch.undo()
    async with transaction(pool, seller.organization_id) as conn:
        await conn.execute(
            "DELETE FROM stock_changes WHERE organization_id = $1 AND session_id = $2 AND version = $3",
            seller.organization_id,
            session_id,
            known.version + 1,
        )
    assert await make(known) == anew
    await office.close()


async def test_unknown_sessions_are_not_found(anyone: httpx.AsyncClient) -> None:
    refused = await anyone.get(f"{API}/sessions/{uuid4()}/availability")
    assert (refused.status_code, refused.json()["code"]) == (404, "session_not_found")
    assert (await anyone.get(f"{API}/sessions/nothing/availability")).status_code == 422


async def test_deleted_session_is_not_found_any_more(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    session = await organizer.on_sale()
    await look(anyone, session)
    assert (await organizer.client.delete(f"{API}/events/{session['event_id']}")).status_code == 204
    assert (await anyone.get(f"{API}/sessions/{session['id']}/availability")).status_code == 404
