"""The demo run: a crowd buys for the festival and the theatre, and every ticket is scanned from its pictures, twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from fullhouse.operations.crowd import Crowd, Sale, Venue
from fullhouse.operations.read_codes import read_pdf, read_picture

BUYERS_DEFAULT = 400
CONNECTIONS_MAX = 100
SCANNERS = 8
REQUEST_SECONDS_MAX = 60.0
TRIES_MAX = 30
COME_LATER = 503

Advance = Callable[[str, int], None]
"""Told of progress: what goes on, and how many steps of it were done."""


@dataclass(slots=True)
class DemoReport:
    """What the crowd lived through, and what the door said of every ticket."""

    stories: Counter[str] = field(default_factory=Counter[str])
    tickets: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class DemoPlace:
    """Where to buy: the address of a running Fullhouse, and the key of a scanner of its demo organization."""

    url: str
    scanner_key: str
    organization_id: str


async def run_demo(place: DemoPlace, buyers: int, advance: Advance) -> DemoReport:
    """Send buyers, half to the festival and half to the theatre, and scan all their tickets. Takes a minute or two."""
    report = DemoReport()
    async with _client(place.url) as client:
        venues = await find_venues(client, place.organization_id)
        crowd = Crowd(client, lambda: advance("buyers", 1))
        await asyncio.gather(*(crowd.buy(venue, buyers // len(venues)) for venue in venues))
        report.stories = crowd.stories
        sold = [sale for sale in crowd.sales if sale.order["status"] == "paid"]
        door = _Door(client, place.scanner_key, report, advance)
        await door.scan_all(sold)
    return report


async def find_venues(client: httpx.AsyncClient, organization_id: str) -> list[Venue]:
    """Find the first session of each event of the demo organization."""
    listed = (await client.get("events", params={"limit": 100})).raise_for_status().json()
    venues: list[Venue] = []
    for event in listed["items"]:
        if event["organization_id"] != organization_id:
            continue
        detail = (await client.get(f"events/{event['id']}")).raise_for_status().json()
        session = detail["sessions"][0]
        types = [one["id"] for one in session["ticket_types"]]
        venues.append(Venue(session["id"], types, await _seat_keys(client, session.get("seat_map_id"))))
    return venues


async def _seat_keys(client: httpx.AsyncClient, seat_map_id: str | None) -> Sequence[str]:
    if seat_map_id is None:
        return ()
    answer: dict[str, Any] = (await client.get(f"seat-maps/{seat_map_id}")).raise_for_status().json()
    sections = answer.get("document", answer)["sections"]
    return [seat["key"] for section in sections for row in section["rows"] for seat in row["seats"]]


class _Door:
    """Scans each ticket from its QR picture, and again from the order's PDF."""

    def __init__(self, client: httpx.AsyncClient, scanner_key: str, report: DemoReport, advance: Advance) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {scanner_key}"}
        self._report = report
        self._advance = advance

    async def scan_all(self, sales: Sequence[Sale]) -> None:
        """Scan the tickets of all orders, several orders at a time."""
        scanners = asyncio.Semaphore(SCANNERS)

        async def scan(sale: Sale) -> None:
            async with scanners:
                await self._scan_order(sale)
                self._advance("tickets", len(sale.order["tickets"]))

        await asyncio.gather(*(scan(sale) for sale in sales))

    async def _scan_order(self, sale: Sale) -> None:
        tickets = sale.order["tickets"]
        self._report.tickets += len(tickets)
        for ticket in tickets:
            picture = await self._fetch(f"tickets/{ticket['id']}/qr.png", sale)
            [code] = await asyncio.to_thread(read_picture, picture)
            self._expect(code == ticket["code"], f"the picture of ticket {ticket['id']} shows another code")
            await self._scan(code, ticket, "admitted")
        pdf = await self._fetch(f"orders/{sale.order_id}/tickets.pdf", sale)
        codes = await asyncio.to_thread(read_pdf, pdf)
        wanted = {ticket["code"]: ticket for ticket in tickets}
        self._expect(
            sorted(codes) == sorted(wanted),
            f"the PDF of order {sale.order_id} shows other codes: {_told(codes, wanted)}",
        )
        for code in codes:
            if code in wanted:
                await self._scan(code, wanted[code], "already_admitted")

    async def _fetch(self, path: str, sale: Sale) -> bytes:
        answer = await self._client.get(path, headers=sale.headers)
        return answer.raise_for_status().content

    async def _scan(self, code: str, ticket: dict[str, Any], wanted: str) -> None:
        body = {"code": code, "session_id": ticket["session_id"], "device": "demo"}
        answer = await self._client.post("tickets/validate", json=body, headers=self._headers)
        outcome = answer.raise_for_status().json()["outcome"]
        self._report.outcomes[outcome] += 1
        self._expect(outcome == wanted, f"ticket {ticket['id']}: {outcome} instead of {wanted}")

    def _expect(self, true: bool, fault: str) -> None:
        if not true:
            self._report.faults.append(fault)


def _told(codes: Sequence[str], wanted: Collection[str]) -> str:
    """Say how read codes differ from those wanted, and show none."""
    others = [len(code) for code in codes if code not in wanted]
    return (
        f"{len(codes)} read, {len(wanted)} wanted, {len(set(wanted) - set(codes))} missing, others of {others} letters"
    )


class _Patient(httpx.AsyncHTTPTransport):
    """Asks again when it is told to come later, as programs should; writes carry keys, so that is safe."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        for _ in range(TRIES_MAX):
            if answer.status_code != COME_LATER:
                break
            await answer.aclose()
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
            answer = await super().handle_async_request(request)
        return answer


@asynccontextmanager
async def _client(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX)
    base = f"{url.rstrip('/')}/api/v1/"
    async with httpx.AsyncClient(
        base_url=base, timeout=REQUEST_SECONDS_MAX, transport=_Patient(limits=limits)
    ) as client:
        yield client
