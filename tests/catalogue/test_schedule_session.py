"""Scheduling a session: its terms, its stock, and what is refused."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness.catalogue import API, Organizer, fields_of, quota
from harness.web import Seller

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Pool

SHARED = {
    "price_categories": [{"key": "floor", "name": "Floor", "capacity": 500}, {"key": "balcony", "capacity": 80}],
    "quotas": [{"name": "children", "capacity": 50}],
    "ticket_types": [
        {
            "name": "Adult",
            "prices": [
                {"price_category": "floor", "price_minor": 3000},
                {"price_category": "balcony", "price_minor": 4500},
            ],
        },
        {
            "name": "Child",
            "description": "Up to 12 years",
            "per_order_max": 4,
            "quotas": ["children"],
            "prices": [{"price_category": "floor", "price_minor": 1500}],
        },
        {
            "name": "Early bird",
            "capacity": 20,
            "on_sale": False,
            "prices": [{"price_category": "floor", "price_minor": 2000}],
        },
    ],
}


async def count_rows(pool: Pool, seller: Seller) -> list[int]:
    """Count what a session leaves in the tables."""
    tables = ("sessions", "price_categories", "ticket_types", "prices", "stock", "quotas", "outbox")
    return [
        await pool.fetchval(f"SELECT count(*) FROM {table} WHERE organization_id = $1", seller.organization_id)
        for table in tables
    ]


async def test_shared_and_own_quotas_are_counted_together(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    session = await organizer.on_sale(**SHARED)
    assert {one["name"]: (one["kind"], one["capacity"]) for one in session["quotas"]} == {
        "floor": ("category", 500),
        "balcony": ("category", 80),
        "children": ("shared", 50),
        "Early bird": ("ticket_type", 20),
    }
    adult, child, early = session["ticket_types"]
    assert (adult["price_minor"], adult["available"]) == (3000, 580)
    assert [(one["price_category"], one["name"], one["available"]) for one in adult["prices"]] == [
        ("floor", "Floor", 500),
        ("balcony", "balcony", 80),
    ]
    assert (child["available"], child["per_order_max"], child["description"]) == (50, 4, "Up to 12 years")
    assert (early["available"], early["on_sale"]) == (0, False)
    assert session["available"] == 580
    assert (await organizer.hold(session, 4, ticket_type=1)).status_code == 201
    left = (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()["ticket_types"]
    assert [one["available"] for one in left] == [576, 46, 0]
    refused = await organizer.hold(session, 1, ticket_type=2)
    assert refused.json()["code"] == "not_sold_here"


async def test_types_that_share_one_quota_show_what_is_left_of_it(organizer: Organizer) -> None:
    session = await organizer.session(
        await organizer.event(),
        quotas=[{"name": "room", "capacity": 60}],
        ticket_types=[
            {"name": "Adult", "price_minor": 2000, "capacity": 60, "quotas": ["room"]},
            {"name": "Child", "price_minor": 1000, "capacity": 60, "quotas": ["room"]},
        ],
    )
    assert [one["available"] for one in session["ticket_types"]] == [60, 60]
    assert session["available"] == 60
    assert [one["prices"][0]["price_category"] for one in session["ticket_types"]] == ["ticket-type-1", "ticket-type-2"]


async def test_dates_are_wall_clock_of_the_sessions_time_zone(organizer: Organizer) -> None:
    event = await organizer.event(time_zone="America/New_York")
    of_event = await organizer.session(
        event,
        starts_local="2031-03-09T03:00",
        ends_local="2031-03-09T05:00:30",
        sales_from_local="2031-03-08T10:00",
        sales_until_local="2031-03-09T04:00",
        entry_from_local="2031-03-09T01:30",
    )
    assert of_event["time_zone"] == "America/New_York"
    assert of_event["starts_at"] == "2031-03-09T07:00:00Z"
    assert (of_event["ends_local"], of_event["ends_at"]) == ("2031-03-09T05:00:30", "2031-03-09T09:00:30Z")
    assert (of_event["sales_from_local"], of_event["sales_from"]) == ("2031-03-08T10:00:00", "2031-03-08T15:00:00Z")
    assert of_event["sales_until"] == "2031-03-09T08:00:00Z"
    assert (of_event["entry_from_local"], of_event["entry_from"]) == ("2031-03-09T01:30:00", "2031-03-09T06:30:00Z")
    assert (of_event["entry_until_local"], of_event["entry_until"]) == (None, None)
    own = await organizer.session(event, starts_local="2018-11-04T01:00", time_zone="America/Sao_Paulo")
    assert own["starts_at"] == "2018-11-04T03:00:00Z"


async def test_time_that_comes_twice_is_chosen_by_fold(organizer: Organizer) -> None:
    event = await organizer.event()
    first = await organizer.session(event, starts_local="2031-10-26T01:30")
    second = await organizer.session(event, starts_local={"local": "2031-10-26T01:30", "fold": 1})
    assert (first["starts_at"], second["starts_at"]) == ("2031-10-26T00:30:00Z", "2031-10-26T01:30:00Z")
    assert first["starts_local"] == second["starts_local"] == "2031-10-26T01:30:00"


async def test_time_that_clocks_skip_is_refused_with_the_times_around_it(
    organizer: Organizer, pool: Pool, seller: Seller
) -> None:
    event = await organizer.event()
    before = await count_rows(pool, seller)
    refused = await organizer.try_session(event, starts_local="2031-03-30T01:30")
    assert refused.status_code == 422
    assert refused.json()["code"] == "nonexistent_local_time"
    assert fields_of(refused) == ["starts_local"]
    assert (refused.json()["valid_before"], refused.json()["valid_after"]) == ("2031-03-30T01:00", "2031-03-30T02:00")
    assert await count_rows(pool, seller) == before


def _type(**changes: Json) -> dict[str, Json]:
    return {"name": "Adult", "price_minor": 2500, "capacity": 100, **changes}


_FLOOR: list[dict[str, Json]] = [{"key": "floor", "capacity": 10}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"starts_local": "2031-07-12"}, "starts_local"),
        ({"starts_local": "2031-07-12T21:00Z"}, "starts_local"),
        ({"starts_local": "2031-07-12T25:00"}, "starts_local"),
        ({"starts_local": "1969-07-12T21:00"}, "starts_local"),
        ({"starts_local": 1941000000}, "starts_local"),
        ({"starts_local": None}, "starts_local"),
        ({"starts_local": {"local": "2031-07-12T21:00", "fold": 2}}, "starts_local"),
        ({"starts_local": {"local": "2031-07-12T21:00", "fold": True}}, "starts_local"),
        ({"starts_local": {"local": "2031-07-12T21:00", "zone": "UTC"}}, "starts_local"),
        ({"ends_local": "2031-07-12T20:00"}, "ends_local"),
        ({"time_zone": "Lisbon"}, "time_zone"),
        ({"hold_seconds": 59}, "hold_seconds"),
        ({"hold_seconds": 7201}, "hold_seconds"),
        ({"per_order_max": 0}, "per_order_max"),
        ({"per_order_max": 1001}, "per_order_max"),
        ({"seat_map_id": str(uuid4())}, "seat_map_id"),
        ({"ticket_types": []}, "ticket_types"),
        ({"ticket_types": [_type()] * 101}, "ticket_types"),
        ({"ticket_types": [_type(), _type()]}, "ticket_types[1].name"),
        ({"ticket_types": [_type(capacity=None)]}, "ticket_types[0].capacity"),
        ({"ticket_types": [_type(price_minor=None)]}, "ticket_types[0].prices"),
        ({"ticket_types": [_type(quotas=["none"])]}, "ticket_types[0].quotas[0]"),
        (
            {
                "price_categories": _FLOOR,
                "ticket_types": [_type(prices=[{"price_category": "floor", "price_minor": 1}])],
            },
            "ticket_types[0].price_minor",
        ),
        (
            {
                "ticket_types": [
                    {"name": "Adult", "prices": [{"price_category": "roof", "price_minor": 1}]},
                ]
            },
            "ticket_types[0].prices[0].price_category",
        ),
        (
            {
                "price_categories": _FLOOR,
                "ticket_types": [{"name": "A", "prices": [{"price_category": "floor", "price_minor": 1}] * 2}],
            },
            "ticket_types[0].prices[1].price_category",
        ),
        ({"price_categories": [{"key": "floor"}]}, "price_categories[0].capacity"),
        ({"price_categories": _FLOOR * 2}, "price_categories[1].key"),
        ({"quotas": [{"name": "a", "capacity": 1}] * 2}, "quotas[1].name"),
    ],
)
async def test_what_makes_no_sense_names_its_field_and_leaves_nothing(
    organizer: Organizer, pool: Pool, seller: Seller, changes: dict[str, Any], field: str
) -> None:
    event = await organizer.event()
    before = await count_rows(pool, seller)
    refused = await organizer.try_session(event, **changes)
    assert refused.status_code == 422, refused.text
    assert field in fields_of(refused)
    assert await count_rows(pool, seller) == before


async def test_all_that_is_wrong_is_said_at_once(organizer: Organizer) -> None:
    refused = await organizer.try_session(
        await organizer.event(),
        price_categories=[{"key": "floor"}],
        ticket_types=[_type(capacity=None), _type(quotas=["none"])],
    )
    assert fields_of(refused) == [
        "price_categories[0].capacity",
        "ticket_types[0].capacity",
        "ticket_types[1].name",
        "ticket_types[1].quotas[0]",
    ]


async def test_an_event_has_a_bounded_number_of_sessions(organizer: Organizer, pool: Pool, seller: Seller) -> None:
    event = await organizer.event()
    session = await organizer.session(event)
    await pool.execute(
        """
        INSERT INTO sessions (organization_id, session_id, event_id, time_zone, starts_local, starts_at)
        SELECT organization_id, gen_random_uuid(), event_id, time_zone, starts_local, starts_at
        FROM sessions, generate_series(1, 499) WHERE organization_id = $1
        """,
        seller.organization_id,
    )
    refused = await organizer.try_session(event)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_sessions")
    assert refused.json()["sessions_max"] == 500
    assert (await organizer.look(session))["id"] == session["id"]


async def test_repeated_key_makes_one_session(organizer: Organizer) -> None:
    event = await organizer.event()
    body = {"starts_local": "2031-07-12T21:00", "ticket_types": [_type()]}
    path, key = f"{API}/events/{event['id']}/sessions", {"Idempotency-Key": str(uuid4())}
    first = await organizer.client.post(path, json=body, headers=key)
    again = await organizer.client.post(path, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    shown = await organizer.client.get(f"{API}/events/{event['id']}")
    assert [one["id"] for one in shown.json()["sessions"]] == [first.json()["id"]]


async def test_public_does_not_see_how_quotas_stand(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    session = await organizer.on_sale()
    shown = (await anyone.get(f"{API}/sessions/{session['id']}")).json()
    assert shown["quotas"] is None
    assert quota(await organizer.look(session), "ticket-type-1") == (100, 0, 0, 0)
    assert {**shown, "quotas": 0} == {**session, "on_sale": True, "quotas": 0}
