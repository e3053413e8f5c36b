"""The public list: by start, page by page, searched literally; and the organizer's list."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.catalogue import API, Organizer, fields_of, made

from fullhouse.infra.postgres import Pool, transaction


async def all_pages(client: httpx.AsyncClient, path: str, **params: str | int) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while True:
        query = {**params, "cursor": cursor} if cursor else params
        answer = await made(await client.get(path, params=query), 200)
        pages.append(answer["items"])
        cursor = answer["next_cursor"]
        if cursor is None:
            return pages


async def put_on_sale(organizer: Organizer, name: str, starts: str, **event: str) -> str:
    made_event = await organizer.event(name=name, **event)
    await organizer.session(made_event, starts_local=starts)
    await organizer.publish(made_event)
    return made_event["id"]


async def test_pages_are_stable_with_equal_starts(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    word = uuid4().hex
    ids = [await put_on_sale(organizer, f"Concerto {word}", "2031-07-12T21:00") for _ in range(7)]
    early = await put_on_sale(organizer, f"Abertura {word}", "2031-07-01T21:00")
    late = await put_on_sale(organizer, f"Final {word}", "2031-08-01T21:00")
    await organizer.event(name=f"Rascunho {word}")
    pages = await all_pages(anyone, f"{API}/events", q=word, limit=2)
    assert [len(page) for page in pages] == [2, 2, 2, 2, 1]
    assert [event["id"] for page in pages for event in page] == [early, *sorted(ids), late]


async def test_an_event_published_meanwhile_does_not_shift_the_pages(
    organizer: Organizer, anyone: httpx.AsyncClient
) -> None:
    word = uuid4().hex
    first = [await put_on_sale(organizer, f"Concerto {word}", f"2031-07-1{day}T21:00") for day in (2, 3, 4)]
    page = await made(await anyone.get(f"{API}/events", params={"q": word, "limit": 2}), 200)
    await put_on_sale(organizer, f"Abertura {word}", "2031-07-01T21:00")
    rest = await made(
        await anyone.get(f"{API}/events", params={"q": word, "limit": 2, "cursor": page["next_cursor"]}), 200
    )
    assert [event["id"] for event in page["items"] + rest["items"]] == first
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("wildcard", ["%", "_", "\\", "%%", "\\%", "[a-z]", "'", '"', "*"])
async def test_search_takes_every_character_literally(
    organizer: Organizer, anyone: httpx.AsyncClient, wildcard: str
) -> None:
    word = uuid4().hex
    with_it = await put_on_sale(organizer, f"{word} 100{wildcard} ao vivo", "2031-07-12T21:00")
    await put_on_sale(organizer, f"{word} 100x ao vivo", "2031-07-12T21:00")
    found = await all_pages(anyone, f"{API}/events", q=f"{word} 100{wildcard}")
    assert [event["id"] for page in found for event in page] == [with_it]


async def test_search_ignores_case_in_name_place_and_description(
    organizer: Organizer, anyone: httpx.AsyncClient
) -> None:
    word = uuid4().hex
    ids = {
        await put_on_sale(organizer, f"CORAÇÃO {word.upper()}", "2031-07-12T21:00"),
        await put_on_sale(organizer, "Outro", "2031-07-12T21:00", location=f"Praça do Coração {word}"),
        await put_on_sale(organizer, "Mais um", "2031-07-12T21:00", description=f"Com\ncoração {word}"),
    }
    found = await all_pages(anyone, f"{API}/events", q=f"  coração {word} ")
    assert {event["id"] for page in found for event in page} == ids


async def test_dates_find_what_is_not_over_and_starts_before(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    word = uuid4().hex
    week = await organizer.event(name=f"Festival {word}")
    for day in ("2031-07-01", "2031-07-07"):
        await organizer.session(week, starts_local=f"{day}T20:00", ends_local=f"{day}T23:00")
    await organizer.publish(week)
    night = await put_on_sale(organizer, f"Noite {word}", "2031-07-10T20:00")

    async def found(**params: str) -> list[str]:
        pages = await all_pages(anyone, f"{API}/events", q=word, **params)
        return [event["id"] for page in pages for event in page]

    assert await found() == [week["id"], night]
    assert await found(**{"from": "2031-07-05"}) == [week["id"], night]
    assert await found(**{"from": "2031-07-07T22:00:01Z"}) == [night]
    assert await found(**{"from": "2031-07-07T22:00:00Z"}) == [week["id"], night]
    assert await found(to="2031-07-10") == [week["id"]]
    assert await found(to="2031-07-10T19:00:01Z") == [week["id"], night]
    assert await found(**{"from": "2031-07-08", "to": "2031-07-10"}) == []


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "101"}, 422, "limit"),
        ({"q": "x" * 101}, 422, "q"),
        ({"q": "a\x1fb"}, 422, "q"),
        ({"from": "yesterday"}, 422, "from"),
        ({"to": "2031-02-30"}, 422, "to"),
        ({"to": "99999-01-01"}, 422, "to"),
        ({"cursor": "nothing"}, 400, None),
        ({"cursor": ""}, 400, None),
        ({"cursor": "é"}, 400, None),
    ],
)
async def test_bad_queries_are_refused(
    anyone: httpx.AsyncClient, params: dict[str, str], status: int, field: str | None
) -> None:
    refused = await anyone.get(f"{API}/events", params=params)
    assert refused.status_code == status, refused.text
    if field is None:
        assert refused.json()["code"] == "cursor_malformed"
    else:
        assert fields_of(refused) == [field]


async def test_cursor_of_another_list_is_refused(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    for _ in range(2):
        await organizer.event()
    path = f"{API}/organizations/{organizer.organization_id}/events"
    cursor = (await organizer.client.get(path, params={"limit": 1})).json()["next_cursor"]
    refused = await anyone.get(f"{API}/events", params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (400, "cursor_malformed")


async def test_organizer_sees_every_state_the_newest_first(organizer: Organizer) -> None:
    draft = await organizer.event()
    published = await organizer.on_sale()
    cancelled = await organizer.event()
    await made(await organizer.client.post(f"{API}/events/{cancelled['id']}/cancel"), 200)
    path = f"{API}/organizations/{organizer.organization_id}/events"
    pages = await all_pages(organizer.client, path, limit=2)
    assert [len(page) for page in pages] == [2, 1]
    assert [(event["id"], event["status"]) for page in pages for event in page] == [
        (cancelled["id"], "cancelled"),
        (published["event_id"], "published"),
        (draft["id"], "draft"),
    ]


async def test_instants_are_answered_in_utc(organizer: Organizer, anyone: httpx.AsyncClient) -> None:
    word = uuid4().hex
    await put_on_sale(organizer, word, "2031-01-12T21:00")
    ((event,),) = await all_pages(anyone, f"{API}/events", q=word)
    assert event["starts_at"] == "2031-01-12T21:00:00Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["published_at"])
    assert datetime.fromisoformat(event["published_at"]).tzinfo == UTC


async def test_what_is_over_is_listed_only_when_it_is_asked_for(
    organizer: Organizer, anyone: httpx.AsyncClient, pool: Pool
) -> None:
    word = uuid4().hex
    over = await put_on_sale(organizer, f"Ontem {word}", "2031-07-01T21:00")
    running = await put_on_sale(organizer, f"Hoje {word}", "2031-07-02T21:00")
    coming = await put_on_sale(organizer, f"Amanhã {word}", "2031-07-03T21:00")
    async with transaction(pool, organizer.organization_id) as conn:
        for event_id, starts_at, ends_at in (
            (over, "2 days", "1 day"),
            (running, "1 day", "-1 hour"),
        ):
            await conn.execute(
                """
                UPDATE events SET starts_at = now() - $2::text::interval, ends_at = now() - $3::text::interval
                WHERE event_id = $1
                """,
                UUID(event_id),
                starts_at,
                ends_at,
            )
    for params, expected in (({}, [running, coming]), ({"from": "2020-01-01"}, [over, running, coming])):
        (page,) = await all_pages(anyone, f"{API}/events", q=word, **params)
        assert [event["id"] for event in page] == expected
    (nothing,) = await all_pages(anyone, f"{API}/events", q=word, to="2020-01-01")
    assert nothing == []
