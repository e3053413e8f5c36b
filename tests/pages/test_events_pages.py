"""The list of events and the page of one: what is shown, what is not, and how one gets on."""

from uuid import uuid4

from harness.catalogue import Organizer
from pages.browsing import Buyer


async def test_an_event_is_found_and_leads_to_its_session(buyer: Buyer, organizer: Organizer) -> None:
    name = f"Concerto {uuid4().hex[:8]}"
    event = await organizer.event(name=name, description="First <b>words</b>.\n\nThen more.")
    session = await organizer.session(event)
    unpublished = await buyer.open(f"/?q={name}")
    await organizer.publish(event)
    found = await buyer.open(f"/?q={name.upper()}")
    shown = await buyer.open(f"/events/{event['id']}")
    assert f"Nothing on sale matches “{name}”." in unpublished.text
    assert f"/events/{event['id']}" in found.links
    assert "Saturday, July 12, 2031" in found.text
    assert "First <b>words</b>." in shown.text
    assert "100 left €25.00" in shown.text
    assert "9:00\N{NARROW NO-BREAK SPACE}PM" in shown.answer.text
    assert f"/sessions/{session['id']}" in shown.links


async def test_drafts_and_unknown_things_are_not_there(buyer: Buyer, organizer: Organizer) -> None:
    event = await organizer.event()
    session = await organizer.session(event)
    for path in (f"/events/{event['id']}", f"/sessions/{session['id']}", f"/events/{uuid4()}", "/events/7", "/nothing"):
        page = await buyer.open(path)
        assert (page.status, page.title) == (404, "There is nothing here · Fullhouse"), path
        assert "/" in page.links


async def test_a_long_list_is_read_in_pages(buyer: Buyer, organizer: Organizer) -> None:
    name = f"Series {uuid4().hex[:8]}"
    ids: set[str] = set()
    for number in range(21):
        event = await organizer.event(name=f"{name} {number}")
        await organizer.session(event, starts_local=f"2031-08-{number + 1:02}T20:00")
        await organizer.publish(event)
        ids.add(event["id"])
    first = await buyer.open(f"/?q={name}")
    [more] = [link for link in first.links if "cursor=" in link and "lang=" not in link]
    second = await buyer.open(more)
    shown = [[link for link in page.links if link.startswith("/events/")] for page in (first, second)]
    assert [len(page) for page in shown] == [20, 1]
    assert {link.removeprefix("/events/") for page in shown for link in page} == ids
    assert [link for link in second.links if "cursor=" in link and "lang=" not in link] == []
    assert "Back to the first events" in second.text


async def test_a_cursor_of_nowhere_begins_at_the_first_page(buyer: Buyer) -> None:
    for cursor in ("x", "%00", "é" * 3000):
        assert (await buyer.open(f"/?cursor={cursor}")).status in {200, 414, 422}


async def test_sessions_that_are_not_on_sale_say_why(buyer: Buyer, organizer: Organizer) -> None:
    event = await organizer.event()
    later = await organizer.session(event, name="Later", sales_from_local="2031-01-02T09:00")
    over = await organizer.session(event, name="Over", sales_until_local="2020-01-02T09:00")
    cancelled = await organizer.session(event, name="Cancelled")
    full = await organizer.session(event, ticket_types=[{"name": "Adult", "price_minor": 100, "capacity": 0}])
    await organizer.publish(event)
    await organizer.client.post(f"/api/v1/sessions/{cancelled['id']}/cancel")
    shown = await buyer.open(f"/events/{event['id']}")
    pages = [await buyer.open(f"/sessions/{one['id']}") for one in (later, over, cancelled, full)]
    words = [
        "On sale from Thursday, January 2, 2031, 9:00",
        "Sales have ended",
        "This session is cancelled",
        "Sold out",
    ]
    for word, page in zip(words, pages, strict=True):
        assert word in shown.text.replace("\N{NARROW NO-BREAK SPACE}", " ")
        assert word in page.text
        assert page.status == 200
        assert [form.action for form in page.forms if not form.action.endswith("/code")] == []
        assert f"/events/{event['id']}" in page.links
    assert not any(link.startswith("/sessions/") for link in shown.links)


async def test_a_cancelled_event_says_so(buyer: Buyer, organizer: Organizer) -> None:
    event = await organizer.event()
    await organizer.session(event)
    await organizer.publish(event)
    await organizer.client.post(f"/api/v1/events/{event['id']}/cancel")
    assert "This event is cancelled" in (await buyer.open(f"/events/{event['id']}")).text
