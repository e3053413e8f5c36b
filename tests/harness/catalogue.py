"""Bodies of events and sessions, and short ways to put them on sale through the real app."""

from typing import Any
from uuid import UUID

import httpx

from fullhouse.core.json import Json

API = "/api/v1"


def session_body(**changes: Json) -> dict[str, Any]:
    """Describe a general-admission session with one ticket type of 100 places."""
    body = {
        "starts_local": "2031-07-12T21:00",
        "ticket_types": [{"name": "Adult", "price_minor": 2500, "capacity": 100}],
    }
    return {**body, **changes}


def fields_of(answer: httpx.Response) -> list[str]:
    """List the fields that a refusal names."""
    return [error["field"] for error in answer.json()["errors"]]


async def made(answer: httpx.Response, status: int = 201) -> dict[str, Any]:
    """Return the body of an answer that must have succeeded."""
    assert answer.status_code == status, answer.text
    return answer.json()


class Organizer:
    """An organization's manager, at the API."""

    def __init__(self, client: httpx.AsyncClient, organization_id: UUID) -> None:
        self.client = client
        self.organization_id = organization_id

    async def event(self, **changes: Json) -> dict[str, Any]:
        body = {"name": "Noite de Fado", "location": "Casa da Ribeira", "time_zone": "Europe/Lisbon", "currency": "EUR"}
        path = f"{API}/organizations/{self.organization_id}/events"
        return await made(await self.client.post(path, json={**body, **changes}))

    async def session(self, event: dict[str, Any], **changes: Json) -> dict[str, Any]:
        return await made(await self.try_session(event, **changes))

    async def try_session(self, event: dict[str, Any], **changes: Json) -> httpx.Response:
        return await self.client.post(f"{API}/events/{event['id']}/sessions", json=session_body(**changes))

    async def publish(self, event: dict[str, Any]) -> dict[str, Any]:
        return await made(await self.client.post(f"{API}/events/{event['id']}/publish"), 200)

    async def on_sale(self, **changes: Json) -> dict[str, Any]:
        """Make a published event and return its only session."""
        event = await self.event()
        session = await self.session(event, **changes)
        await self.publish(event)
        return session

    async def change(self, session: dict[str, Any], **changes: Json) -> httpx.Response:
        return await self.client.patch(f"{API}/sessions/{session['id']}", json=changes)

    async def look(self, session: dict[str, Any]) -> dict[str, Any]:
        return await made(await self.client.get(f"{API}/sessions/{session['id']}"), 200)

    async def hold(
        self, session: dict[str, Any], quantity: int | None = None, ticket_type: int = 0, **item: Json
    ) -> httpx.Response:
        """Ask for a quantity, one if nothing else is asked for, of one of the ticket types."""
        if quantity is not None or not item.keys() & {"seats", "best_available"}:
            item = {"quantity": quantity or 1, **item}
        body = {
            "session_id": session["id"],
            "items": [{"ticket_type_id": session["ticket_types"][ticket_type]["id"], **item}],
        }
        return await self.client.post(f"{API}/reservations", json=body)


def quota(session: dict[str, Any], name: str) -> tuple[int, int, int, int]:
    """Return capacity, held, sold and blocked of a quota, as a member sees it."""
    found = next(one for one in session["quotas"] if one["name"] == name)
    return found["capacity"], found["held"], found["sold"], found["blocked"]
