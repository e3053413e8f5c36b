"""Events: drafts, publishing, changing, cancelling, deleting, and who sees what."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from harness.catalogue import API, Organizer, fields_of, made
from harness.web import Seller, client_of, make_seller

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge


async def messages(pool: Pool, seller: Seller) -> list[tuple[str, str]]:
    """List the type and the key of every message of an organization, in order."""
    rows = await pool.fetch(
        "SELECT type, key FROM outbox WHERE organization_id = $1 ORDER BY position", seller.organization_id
    )
    return [(row["type"], str(row["key"])) for row in rows]


async def test_draft_is_seen_by_its_organization_alone(
    organizer: Organizer, anyone: httpx.AsyncClient, app: Edge, pool: Pool, seller: Seller
) -> None:
    event = await organizer.event(description="Uma noite.\nDuas guitarras.")
    session = await organizer.session(event)
    assert event["status"] == "draft"
    paths = [f"{API}/events/{event['id']}", f"{API}/sessions/{session['id']}"]
    paths.append(f"{API}/sessions/{session['id']}/availability")
    other = await make_seller(pool, "Clube do Porto")
    async with client_of(app, **other.bearer()) as stranger, client_of(app, **seller.bearer("scanner")) as scanner:
        for path in paths:
            assert (await organizer.client.get(path)).status_code == 200
            for client in (anyone, stranger, scanner):
                refused = await client.get(path)
                assert refused.status_code == 404, path
                assert refused.json()["code"] in {"event_not_found", "session_not_found"}
    assert (await organizer.client.get(paths[2])).headers["cache-control"] == "private, no-cache"


async def test_publishing_needs_a_session_that_happens(organizer: Organizer) -> None:
    event = await organizer.event()
    refused = await organizer.client.post(f"{API}/events/{event['id']}/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "event_without_sessions")
    session = await organizer.session(event)
    await made(await organizer.client.post(f"{API}/sessions/{session['id']}/cancel"), 200)
    refused = await organizer.client.post(f"{API}/events/{event['id']}/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "event_without_sessions")
    shown = await organizer.client.get(f"{API}/events/{event['id']}")
    assert (shown.json()["status"], shown.json()["published_at"]) == ("draft", None)


async def test_publishing_at_the_same_time_announces_once(organizer: Organizer, pool: Pool, seller: Seller) -> None:
    event = await organizer.event()
    session = await organizer.session(event)
    answers = await asyncio.gather(*(organizer.client.post(f"{API}/events/{event['id']}/publish") for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert {answer.json()["published_at"] for answer in answers} == {answers[0].json()["published_at"]}
    assert await messages(pool, seller) == [("session.scheduled", session["id"]), ("event.published", event["id"])]


async def test_event_has_the_first_start_and_last_end_of_its_sessions(organizer: Organizer) -> None:
    event = await organizer.event()
    await organizer.session(event, starts_local="2031-07-14T21:00", ends_local="2031-07-14T23:00")
    first = await organizer.session(event, starts_local="2031-07-12T21:00")
    shown = await organizer.publish(event)
    assert (shown["starts_at"], shown["ends_at"]) == ("2031-07-12T20:00:00Z", "2031-07-14T22:00:00Z")
    assert [one["starts_local"] for one in shown["sessions"]] == ["2031-07-12T21:00:00", "2031-07-14T21:00:00"]
    await made(await organizer.client.post(f"{API}/sessions/{first['id']}/cancel"), 200)
    shown = (await organizer.client.get(f"{API}/events/{event['id']}")).json()
    assert shown["starts_at"] == "2031-07-14T20:00:00Z"


async def test_what_an_event_says_changes_also_for_those_who_sell_it(
    organizer: Organizer, anyone: httpx.AsyncClient
) -> None:
    session = await organizer.on_sale()
    version = (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()["version"]
    changed = await organizer.client.patch(
        f"{API}/events/{session['event_id']}", json={"name": "Noite de Fado, outra vez", "description": ""}
    )
    assert changed.status_code == 200
    shown = (await anyone.get(f"{API}/events/{session['event_id']}")).json()
    assert (shown["name"], shown["location"]) == ("Noite de Fado, outra vez", "Casa da Ribeira")
    assert (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()["version"] == version + 1


async def test_currency_is_fixed_once_there_are_prices(organizer: Organizer) -> None:
    event = await organizer.event()
    path = f"{API}/events/{event['id']}"
    assert (await made(await organizer.client.patch(path, json={"currency": "KWD"}), 200))["currency"] == "KWD"
    await organizer.session(event)
    refused = await organizer.client.patch(path, json={"currency": "JPY", "name": "Outro nome"})
    assert (refused.status_code, refused.json()["code"], refused.json()["currency"]) == (409, "currency_fixed", "KWD")
    assert (await organizer.client.get(path)).json()["name"] == event["name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("location", 3),
        ("description", "x" * 10_001),
        ("time_zone", "Europe"),
        ("currency", "ABC"),
        ("status", "published"),
    ],
)
async def test_bad_changes_name_their_field(organizer: Organizer, field: str, value: Json) -> None:
    event = await organizer.event()
    refused = await organizer.client.patch(f"{API}/events/{event['id']}", json={field: value})
    assert refused.status_code == 422
    assert fields_of(refused) == [field]
    assert (await organizer.client.get(f"{API}/events/{event['id']}")).json() == event


async def test_cancelling_ends_sales_of_all_sessions_once(
    organizer: Organizer, anyone: httpx.AsyncClient, pool: Pool, seller: Seller
) -> None:
    event = await organizer.event()
    sessions = [await organizer.session(event), await organizer.session(event, starts_local="2031-07-13T21:00")]
    await organizer.publish(event)
    assert (await organizer.hold(sessions[0])).status_code == 201
    await made(await organizer.client.post(f"{API}/events/{event['id']}/cancel"), 200)
    cancelled = await made(await organizer.client.post(f"{API}/events/{event['id']}/cancel"), 200)
    assert cancelled["status"] == "cancelled"
    assert [one["status"] for one in cancelled["sessions"]] == ["cancelled", "cancelled"]
    refused = await organizer.hold(sessions[0])
    assert (refused.status_code, refused.json()["code"]) == (409, "not_on_sale")
    assert (await anyone.get(f"{API}/sessions/{sessions[1]['id']}/availability")).json()["on_sale"] is False
    assert (await anyone.get(f"{API}/events/{event['id']}")).json()["status"] == "cancelled"
    ends = [one for one in await messages(pool, seller) if one[0].endswith(".cancelled")]
    assert sorted(ends) == sorted(
        [("event.cancelled", event["id"]), *(("session.cancelled", one["id"]) for one in sessions)]
    )


async def test_cancelled_event_changes_no_more(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    path = f"{API}/events/{session['event_id']}"
    await made(await organizer.client.post(f"{path}/cancel"), 200)
    for refused in (
        await organizer.client.post(f"{path}/publish"),
        await organizer.client.patch(path, json={"name": "Outro nome"}),
        await organizer.try_session({"id": session["event_id"]}),
        await organizer.change(session, name="Outro nome"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "event_cancelled")


async def test_cancelled_draft_stays_unseen(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    event = await organizer.event()
    await made(await organizer.client.post(f"{API}/events/{event['id']}/cancel"), 200)
    assert (await anyone.get(f"{API}/events/{event['id']}")).status_code == 404


async def test_unsold_event_is_deleted_with_all_that_it_had(organizer: Organizer, pool: Pool, seller: Seller) -> None:
    session = await organizer.on_sale()
    path = f"{API}/events/{session['event_id']}"
    assert (await organizer.client.delete(path)).status_code == 204
    assert (await organizer.client.get(path)).status_code == 404
    assert (await organizer.client.delete(path)).status_code == 404
    for table in ("events", "sessions", "price_categories", "ticket_types", "prices", "stock", "quotas", "seats"):
        count = await pool.fetchval(f"SELECT count(*) FROM {table} WHERE organization_id = $1", seller.organization_id)
        assert count == 0, table
    directory = "SELECT count(*) FROM directory WHERE organization_id = $1 AND kind IN ('event', 'session')"
    assert await pool.fetchval(directory, seller.organization_id) == 0
    assert [kind for kind, _ in await messages(pool, seller)][-2:] == ["event.cancelled", "session.cancelled"]


async def test_event_of_which_something_was_held_is_cancelled_and_not_deleted(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    held = (await organizer.hold(session)).json()
    path = f"{API}/reservations/{held['id']}"
    gone = await organizer.client.delete(path, headers={"Authorization": f"Reservation {held['token']}"})
    assert gone.status_code in {200, 204}
    refused = await organizer.client.delete(f"{API}/events/{session['event_id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "stock_was_held")
    assert (await organizer.look(session))["available"] == 100


async def test_other_organizations_events_are_not_found(organizer: Organizer, app: Edge, pool: Pool) -> None:
    session = await organizer.on_sale()
    other = await make_seller(pool, "Clube do Porto")
    event = f"{API}/events/{session['event_id']}"
    async with client_of(app, **other.bearer()) as stranger:
        for method, path, body in (
            ("PATCH", event, {"name": "Meu"}),
            ("DELETE", event, None),
            ("POST", f"{event}/publish", None),
            ("POST", f"{event}/cancel", None),
            ("POST", f"{event}/sessions", {"starts_local": "2031-07-12T21:00", "ticket_types": [{"name": "A"}]}),
            ("PATCH", f"{API}/sessions/{session['id']}", {"name": "Meu"}),
            ("DELETE", f"{API}/sessions/{session['id']}", None),
            ("POST", f"{API}/sessions/{session['id']}/cancel", None),
            ("GET", f"{API}/sessions/{session['id']}/allocations", None),
            ("POST", f"{API}/sessions/{session['id']}/allocations", {"name": "A", "quantities": {"ticket-type-1": 1}}),
            ("DELETE", f"{API}/sessions/{session['id']}/allocations/{uuid4()}", None),
            ("GET", f"{API}/organizations/{session['organization_id']}/events", None),
            ("POST", f"{API}/organizations/{session['organization_id']}/events", {"name": "A", "currency": "EUR"}),
        ):
            refused = await stranger.request(method, path, json=body)
            assert refused.status_code == 404, (method, path, refused.text)
    assert (await organizer.look(session)) == {**session, "on_sale": True}


@pytest.mark.parametrize(("role", "status"), [("owner", 201), ("manager", 201), ("box_office", 403), ("scanner", 403)])
async def test_managers_write_events(app: Edge, seller: Seller, role: str, status: int) -> None:
    async with client_of(app, **seller.bearer(role)) as client:
        path = f"{API}/organizations/{seller.organization_id}/events"
        answer = await client.post(path, json={"name": "Concerto", "currency": "EUR"})
        assert answer.status_code == status


async def test_anonymous_writes_nothing(anyone: httpx.AsyncClient, seller: Seller) -> None:
    path = f"{API}/organizations/{seller.organization_id}/events"
    assert (await anyone.post(path, json={"name": "Concerto", "currency": "EUR"})).status_code == 401
    forged = {"Authorization": "Bearer fh_nothing"}
    assert (await anyone.get(f"{API}/events/{uuid4()}", headers=forged)).status_code == 401
