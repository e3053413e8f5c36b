"""Changing a session: dates, limits, prices, capacities, and what is sold meanwhile."""

import asyncio
from typing import Any

import httpx
import pytest
from harness.catalogue import API, Organizer, fields_of, made, quota
from harness.web import Seller

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Pool


async def test_moving_the_start_moves_end_and_doors_and_says_so(
    organizer: Organizer, pool: Pool, seller: Seller
) -> None:
    session = await organizer.on_sale(
        ends_local="2031-07-12T23:00",
        entry_from_local="2031-07-12T20:00",
        sales_from_local="2026-01-01T10:00",
        sales_until_local="2031-07-12T20:30",
    )
    moved = await made(await organizer.change(session, starts_local="2031-11-12T19:30"), 200)
    assert moved["status"] == "moved"
    assert (moved["starts_local"], moved["starts_at"]) == ("2031-11-12T19:30:00", "2031-11-12T19:30:00Z")
    assert (moved["ends_local"], moved["ends_at"]) == ("2031-11-12T21:30:00", "2031-11-12T21:30:00Z")
    assert (moved["entry_from_local"], moved["entry_from"]) == ("2031-11-12T18:30:00", "2031-11-12T18:30:00Z")
    assert moved["sales_until"] == session["sales_until"] == "2031-07-12T19:30:00Z"
    event = (await organizer.client.get(f"{API}/events/{session['event_id']}")).json()
    assert event["starts_at"] == "2031-11-12T19:30:00Z"
    data = await pool.fetchval(
        "SELECT data FROM outbox WHERE organization_id = $1 AND type = 'session.changed'", seller.organization_id
    )
    assert data == {
        "session_id": session["id"],
        "event_id": session["event_id"],
        "status": "moved",
        "time_zone": "Europe/Lisbon",
        "starts_at": "2031-11-12T19:30:00+00:00",
        "ends_at": "2031-11-12T21:30:00+00:00",
        "previous_starts_at": "2031-07-12T20:00:00+00:00",
    }


async def test_another_time_zone_keeps_the_wall_clock(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    moved = await made(await organizer.change(session, time_zone="Atlantic/Azores"), 200)
    assert (moved["starts_local"], moved["starts_at"]) == ("2031-07-12T21:00:00", "2031-07-12T21:00:00Z")
    assert moved["status"] == "moved"


async def test_second_of_two_equal_times_survives_other_changes(organizer: Organizer) -> None:
    session = await organizer.on_sale(starts_local={"local": "2031-10-26T01:30", "fold": 1})
    changed = await made(await organizer.change(session, name="Madrugada"), 200)
    assert changed["starts_at"] == "2031-10-26T01:30:00Z"
    assert changed["status"] == "scheduled"


async def test_states_of_a_session(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    assert (await organizer.change(session, status="postponed")).json()["status"] == "postponed"
    assert (await organizer.change(session, status="scheduled")).json()["status"] == "scheduled"
    assert (await organizer.change(session, status="postponed")).json()["status"] == "postponed"
    assert (await organizer.change(session, starts_local="2031-08-12T21:00")).json()["status"] == "moved"
    assert (await organizer.change(session, status="scheduled")).status_code == 409
    both = await organizer.change(session, status="postponed", starts_local="2031-09-12T21:00")
    assert both.status_code == 409
    assert (await organizer.look(session))["starts_local"] == "2031-08-12T21:00:00"
    draft = await organizer.session(await organizer.event())
    assert (await organizer.change(draft, starts_local="2031-08-12T21:00")).json()["status"] == "scheduled"


async def test_null_takes_a_date_away(organizer: Organizer) -> None:
    session = await organizer.on_sale(ends_local="2031-07-12T23:00", sales_from_local="2030-01-01T10:00")
    assert (await organizer.look(session))["on_sale"] is False
    changed = await made(await organizer.change(session, ends_local=None, sales_from_local=None), 200)
    assert (changed["ends_local"], changed["ends_at"]) == (None, None)
    assert (changed["sales_from_local"], changed["sales_from"]) == (None, None)
    assert changed["on_sale"] is True
    assert (await organizer.hold(session)).status_code == 201


async def test_prices_change_for_those_who_come_later(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    type_id = session["ticket_types"][0]["id"]
    before = (await organizer.hold(session)).json()
    changed = await made(await organizer.change(session, ticket_types=[{"id": type_id, "price_minor": 3100}]), 200)
    assert changed["ticket_types"][0]["price_minor"] == 3100
    assert (await organizer.hold(session)).json()["total_minor"] == 3100
    shown = await organizer.client.get(
        f"{API}/reservations/{before['id']}", headers={"Authorization": f"Reservation {before['token']}"}
    )
    assert shown.json()["total_minor"] == 2500


async def test_ticket_types_and_quotas_are_added_and_changed(organizer: Organizer) -> None:
    session = await organizer.on_sale(
        price_categories=[{"key": "floor", "capacity": 100}],
        ticket_types=[{"name": "Adult", "prices": [{"price_category": "floor", "price_minor": 2000}]}],
    )
    adult = session["ticket_types"][0]["id"]
    changed = await made(
        await organizer.change(
            session,
            per_order_max=3,
            price_categories=[{"key": "floor", "name": "Floor"}, {"key": "stage", "capacity": 5}],
            quotas=[{"name": "students", "capacity": 10}],
            ticket_types=[
                {
                    "id": adult,
                    "name": "Grown-up",
                    "per_order_max": 2,
                    "prices": [{"price_category": "stage", "price_minor": 9000}],
                }
            ],
            new_ticket_types=[
                {
                    "name": "Student",
                    "quotas": ["students"],
                    "prices": [{"price_category": "floor", "price_minor": 1000}],
                },
                {"name": "Parking", "price_minor": 500, "capacity": 8},
            ],
        ),
        200,
    )
    assert [(one["key"], one["name"]) for one in changed["price_categories"]] == [
        ("floor", "Floor"),
        ("stage", "stage"),
        ("ticket-type-3", "Parking"),
    ]
    assert [(one["name"], one["available"]) for one in changed["ticket_types"]] == [
        ("Grown-up", 105),
        ("Student", 10),
        ("Parking", 8),
    ]
    assert changed["ticket_types"][0]["id"] == adult
    refused = await organizer.hold(changed, 3, area="stage")
    assert refused.json()["code"] == "limit_per_order"
    held = await organizer.hold(changed, 2, area="stage")
    assert held.json()["total_minor"] == 18_000
    lifted = await organizer.change(session, ticket_types=[{"id": adult, "per_order_max": None}])
    assert lifted.json()["ticket_types"][0]["per_order_max"] is None
    gone = await organizer.change(
        session,
        ticket_types=[{"id": adult, "prices": [{"price_category": "stage", "price_minor": None}], "on_sale": False}],
    )
    assert [one["price_category"] for one in gone.json()["ticket_types"][0]["prices"]] == ["floor"]
    assert gone.json()["ticket_types"][0]["available"] == 0


async def test_capacity_below_what_is_held_is_refused_with_the_numbers(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    for _ in range(3):
        assert (await organizer.hold(session, 10)).status_code == 201
    type_id = session["ticket_types"][0]["id"]
    refused = await organizer.change(session, name="Outro", ticket_types=[{"id": type_id, "capacity": 29}])
    assert refused.status_code == 409
    body = refused.json()
    assert (body["code"], body["capacity"], body["held"], body["sold"], body["blocked"]) == (
        "quota_below_sold",
        29,
        30,
        0,
        0,
    )
    assert body["field"] == "ticket_types[0].capacity"
    assert (await organizer.look(session))["name"] == ""
    lowered = await made(await organizer.change(session, ticket_types=[{"id": type_id, "capacity": 30}]), 200)
    assert quota(lowered, "ticket-type-1") == (30, 30, 0, 0)
    assert (await organizer.hold(session)).json()["code"] == "sold_out"
    await made(await organizer.change(session, price_categories=[{"key": "ticket-type-1", "capacity": 31}]), 200)
    assert (await organizer.hold(session)).status_code == 201


async def test_lapsed_holds_do_not_stand_in_the_way_of_a_lower_capacity(organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    held = (await organizer.hold(session, 10)).json()
    await pool.execute(
        """
        UPDATE reservations SET held_at = held_at - interval '1 hour', expires_at = clock_timestamp() - interval '1 s'
        WHERE reservation_id = $1
        """,
        held["id"],
    )
    type_id = session["ticket_types"][0]["id"]
    lowered = await made(await organizer.change(session, ticket_types=[{"id": type_id, "capacity": 5}]), 200)
    assert quota(lowered, "ticket-type-1") == (5, 0, 0, 0)


async def test_lowering_a_quota_while_buyers_hold_never_oversells(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    type_id = session["ticket_types"][0]["id"]
    gate = asyncio.Barrier(66)

    async def buy() -> httpx.Response:
        await gate.wait()
        return await organizer.hold(session)

    async def lower(capacity: int) -> httpx.Response:
        await gate.wait()
        return await organizer.change(session, ticket_types=[{"id": type_id, "capacity": capacity}])

    answers = await asyncio.gather(*(buy() for _ in range(60)), *(lower(capacity) for capacity in range(20, 50, 5)))
    bought, changed = answers[:60], answers[60:]
    assert {answer.status_code for answer in bought} <= {201, 409}
    assert {answer.json()["code"] for answer in bought if answer.status_code == 409} <= {"sold_out"}
    assert {answer.json()["code"] for answer in changed if answer.status_code == 409} <= {"quota_below_sold"}
    won = sum(answer.status_code == 201 for answer in bought)
    capacity, held, sold, blocked = quota(await organizer.look(session), "ticket-type-1")
    assert (held, sold, blocked) == (won, 0, 0)
    assert won <= capacity
    assert capacity in {100, *range(20, 50, 5)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"starts_local": None}, "starts_local"),
        ({"status": "cancelled"}, "status"),
        ({"hold_seconds": None}, "hold_seconds"),
        ({"currency": "USD"}, "currency"),
        ({"seat_map_id": None}, "seat_map_id"),
        ({"ends_local": "2031-07-12T20:00"}, "ends_local"),
        ({"price_categories": [{"key": "roof"}]}, "price_categories[0].capacity"),
        ({"areas": [{"key": "pit", "capacity": 1}]}, "areas[0].key"),
        ({"ticket_types": [{"id": "7f2c1f3e-0000-7000-8000-000000000000"}]}, "ticket_types[0].id"),
        ({"new_ticket_types": [{"name": "Adult", "price_minor": 1, "capacity": 1}]}, "new_ticket_types[0].name"),
    ],
)
async def test_bad_changes_name_their_field_and_change_nothing(
    organizer: Organizer, changes: dict[str, Any], field: str
) -> None:
    session = await organizer.session(await organizer.event())
    refused = await organizer.change(session, **changes)
    assert refused.status_code == 422, refused.text
    assert fields_of(refused) == [field]
    assert await organizer.look(session) == session


@pytest.mark.parametrize("changes", [{"name": "x"}, {"capacity": 3}])
async def test_own_quota_is_needed_to_change_it(organizer: Organizer, changes: dict[str, Json]) -> None:
    session = await organizer.session(
        await organizer.event(),
        price_categories=[{"key": "floor", "capacity": 10}],
        ticket_types=[
            {"name": name, "prices": [{"price_category": "floor", "price_minor": 1}]} for name in ("Adult", "Child")
        ],
    )
    answer = await organizer.change(session, ticket_types=[{"id": session["ticket_types"][0]["id"], **changes}])
    if "capacity" in changes:
        assert fields_of(answer) == ["ticket_types[0].capacity"]
    else:
        assert answer.status_code == 200


async def test_two_changes_at_once_both_stay(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    for number in range(5):
        await asyncio.gather(
            organizer.change(session, name=f"Nome {number}"),
            organizer.change(session, per_order_max=number + 1),
            organizer.client.patch(f"{API}/events/{session['event_id']}", json={"location": f"Sala {number}"}),
        )
        shown = await organizer.look(session)
        assert (shown["name"], shown["per_order_max"], shown["location"]) == (
            f"Nome {number}",
            number + 1,
            f"Sala {number}",
        )


async def test_cancelled_session_is_not_sold_and_changes_no_more(organizer: Organizer, pool: Pool) -> None:
    session = await organizer.on_sale()
    for _ in range(2):
        answer = await organizer.client.post(f"{API}/sessions/{session['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert (await organizer.hold(session)).json()["code"] == "not_on_sale"
    refused = await organizer.change(session, name="Outro")
    assert (refused.status_code, refused.json()["code"]) == (409, "session_cancelled")
    count = "SELECT count(*) FROM outbox WHERE key = $1 AND type = 'session.cancelled'"
    assert await pool.fetchval(count, session["id"]) == 1


async def test_deleting_while_buyers_hold_keeps_one_or_the_other(organizer: Organizer, pool: Pool) -> None:
    for _ in range(10):
        event = await organizer.event()
        session = await organizer.session(event)
        await organizer.session(event)
        await organizer.publish(event)
        held, deleted = await asyncio.gather(
            organizer.hold(session), organizer.client.delete(f"{API}/sessions/{session['id']}")
        )
        reservations = await pool.fetchval("SELECT count(*) FROM reservations WHERE session_id = $1", session["id"])
        if deleted.status_code == 204:
            assert held.status_code in {404, 409}
            assert reservations == 0
        else:
            assert (deleted.status_code, deleted.json()["code"]) == (409, "stock_was_held")
            assert held.status_code == 201
            assert reservations == 1


async def test_deleting_a_session_of_which_something_was_held_is_refused(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    await organizer.session({"id": session["event_id"]})
    assert (await organizer.hold(session)).status_code == 201
    refused = await organizer.client.delete(f"{API}/sessions/{session['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "stock_was_held")
    assert quota(await organizer.look(session), "ticket-type-1") == (100, 1, 0, 0)


async def test_published_event_keeps_its_last_session(organizer: Organizer) -> None:
    event = await organizer.event()
    sessions = [await organizer.session(event) for _ in range(2)]
    await organizer.publish(event)
    answers = await asyncio.gather(
        *(organizer.client.delete(f"{API}/sessions/{session['id']}") for session in sessions)
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert [answer.json()["code"] for answer in answers if answer.status_code == 409] == ["last_session"]
