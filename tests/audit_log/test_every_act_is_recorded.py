"""Every operation by which organizers or the door change something leaves an entry, in the organization's own log.

The operations are read from the OpenAPI document. One that is new there fails this test until it records what it
does (``infra.audit_log.record``) and has a way to be called below.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.catalogue import session_body
from harness.sale import make_sale
from harness.shop import Shop
from harness.stock import SERVER_KEY
from harness.stripe_simulator.server import SECRET_KEY, WEBHOOK_SECRET, running_simulator
from seating.documents import fullhouse_document

from fullhouse.identity.ensure_user import ensure_user
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.infra.system import make_id, now
from fullhouse.organizations.rules import Role
from fullhouse.organizations.writes import insert_member
from fullhouse.tickets.code import TicketClaims, derive_signing_key, make_code
from fullhouse.tickets.issue_tickets import issue_tickets

from .conftest import entries_of

API = "/api/v1"
ORGANIZATION = "/organizations/{organization_id}"
INVITATIONS = f"{ORGANIZATION}/invitations"
HOOKS = f"{ORGANIZATION}/webhook-endpoints"
HOOK = HOOKS + "/{endpoint_id}"
CASES = f"{ORGANIZATION}/money-cases"
KEYS = f"{ORGANIZATION}/payment-providers/{{provider}}"


@dataclass
class Organizer:
    """An owner who calls the API."""

    shop: Shop
    headers: dict[str, str]

    @property
    def organization_id(self) -> UUID:
        return self.shop.sale.made.organization_id

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        path = path.replace("{organization_id}", str(self.organization_id))
        return await self.shop.client.request(method, path, json=body, headers=self.headers)

    async def make(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self.call("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def event(self) -> str:
        return f"/events/{(await self.make(f'{ORGANIZATION}/events', {'name': 'A', 'currency': 'EUR'}))['id']}"

    async def session(self) -> str:
        return f"/sessions/{(await self.make(await self.event() + '/sessions', session_body()))['id']}"

    async def event_with_session(self) -> str:
        event = await self.event()
        await self.make(f"{event}/sessions", session_body())
        return event

    async def hook(self) -> str:
        body = {"url": "https://hooks.example.org/in", "types": ["order.paid"]}
        return f"{HOOKS}/{(await self.make(HOOKS, body))['id']}"


Way = Callable[[Organizer], Awaitable[httpx.Response]]


async def resolve_money_case(by: Organizer) -> httpx.Response:
    case_id = make_id()
    await by.shop.sale.pool.execute(
        "INSERT INTO money_cases (organization_id, case_id, kind, provider, subject, detail)"
        " VALUES ($1, $2, 'capture_unknown', 'stripe', 'pi_1', 'A test.')",
        by.organization_id,
        case_id,
    )
    return await by.call("POST", f"{CASES}/{case_id}/resolve", {"resolution": "none_of_ours"})


CHARGES: dict[str, Any] = {"currency": "EUR", "fees": [], "taxes": []}


async def withdraw(by: Organizer, path: str) -> httpx.Response:
    assert (await by.call("PUT", f"{path}/charges", CHARGES)).status_code == 200
    return await by.call("DELETE", f"{path}/charges")


async def withdraw_from_event(by: Organizer) -> httpx.Response:
    return await withdraw(by, await by.event_with_session())


async def withdraw_from_session(by: Organizer) -> httpx.Response:
    return await withdraw(by, await by.session())


async def set_keys(by: Organizer) -> httpx.Response:
    body = {"secret_key": SECRET_KEY, "webhook_secret": WEBHOOK_SECRET}
    async with running_simulator() as stripe:
        by.shop.client._transport.app.api.state.providers.by_name["stripe"].api_base = stripe.url  # pyright: ignore[reportAttributeAccessIssue]
        return await by.call("PUT", KEYS.replace("{provider}", "stripe"), body)


async def remove_keys(by: Organizer) -> httpx.Response:
    assert (await set_keys(by)).status_code == 200
    return await by.call("DELETE", KEYS.replace("{provider}", "stripe"))


async def delete_api_key(by: Organizer) -> httpx.Response:
    key = await by.make(f"{ORGANIZATION}/api-keys", {"name": "door", "role": "scanner"})
    return await by.call("DELETE", f"{ORGANIZATION}/api-keys/{key['id']}")


def invitation() -> dict[str, str]:
    return {"email": f"bruno.lima+{uuid4().hex}@example.org", "role": "scanner"}


async def revoke_invitation(by: Organizer) -> httpx.Response:
    return await by.call("DELETE", f"{INVITATIONS}/{(await by.make(INVITATIONS, invitation()))['id']}")


async def on_member(by: Organizer, method: str, body: Any = None) -> httpx.Response:
    async with transaction(by.shop.sale.pool, by.organization_id) as conn:
        user = await ensure_user(conn, make_id, f"bruno.lima+{uuid4().hex}@example.org")
        await insert_member(conn, by.organization_id, user.user_id, Role.SCANNER)
    return await by.call(method, f"{ORGANIZATION}/members/{user.user_id}", body)


async def delete_allocation(by: Organizer) -> httpx.Response:
    path = f"/sessions/{by.shop.sale.made.session_id}/allocations"
    made = await by.make(path, {"name": "House", "quantities": {"standing": 1}})
    return await by.call("DELETE", f"{path}/{made['id']}")


async def reserve_from_allocation(by: Organizer) -> httpx.Response:
    made = by.shop.sale.made
    path = f"/sessions/{made.session_id}/allocations"
    allocation = await by.make(path, {"name": "House", "quantities": {"standing": 1}})
    items = [{"ticket_type_id": str(made.types["adult"]), "quantity": 1}]
    return await by.call("POST", f"{path}/{allocation['id']}/reservations", {"items": items})


CODE: dict[str, Any] = {"code": "TEN-OFF", "percent": "10"}


async def change_code(by: Organizer) -> httpx.Response:
    code = await by.make(f"{ORGANIZATION}/codes", {**CODE, "code": "OTHER"})
    return await by.call("PUT", f"{ORGANIZATION}/codes/{code['id']}", {**CODE, "code": "ANOTHER"})


async def give_tickets(by: Organizer) -> httpx.Response:
    made = by.shop.sale.made
    items = [{"ticket_type_id": str(made.types["adult"]), "quantity": 1}]
    body = {"items": items, "email": "ana.souza@example.com", "reason": "Press"}
    return await by.call("POST", f"/sessions/{made.session_id}/complimentary-orders", body)


async def cancel_order(by: Organizer) -> httpx.Response:
    return await by.call("POST", f"/orders/{(await by.shop.order(1))['id']}/cancel")


async def correct_contact(by: Organizer) -> httpx.Response:
    order = await by.shop.order(1)
    return await by.call("PUT", f"/orders/{order['id']}/contact", {"email": "right@example.com"})


async def refund_order(by: Organizer) -> httpx.Response:
    return await by.call("POST", f"/orders/{(await by.shop.paid(1))['id']}/refunds", {})


async def retry_refund(by: Organizer) -> httpx.Response:
    order = await by.shop.paid(1)
    refund = (await by.make(f"/orders/{order['id']}/refunds", {}))["refunds"][0]
    await by.shop.sale.pool.execute(
        "UPDATE refunds SET status = 'failed', ended_at = clock_timestamp() WHERE refund_id = $1", UUID(refund["id"])
    )
    return await by.call("POST", f"/refunds/{refund['id']}/retry")


async def validate_ticket(by: Organizer) -> httpx.Response:
    order_id = UUID((await by.shop.paid(1))["id"])
    async with transaction(by.shop.sale.pool, EVERY_ORGANIZATION) as conn:
        (ticket,) = await issue_tickets(conn, make_id, SERVER_KEY, by.organization_id, order_id)
    claims = TicketClaims(ticket.key_id, 1, ticket.event_id, ticket.session_id, ticket.ticket_id)
    code = make_code(claims, derive_signing_key(SERVER_KEY, by.organization_id, ticket.key_id))
    return await by.call("POST", "/tickets/validate", {"code": code})


async def replay_delivery(by: Organizer) -> httpx.Response:
    hook = await by.hook()
    sent = (await by.call("POST", f"{hook}/test")).json()
    return await by.call("POST", f"{hook}/deliveries/{sent['id']}/replay")


def simple_event(by: Organizer) -> dict[str, Any]:
    where = {"organization_id": str(by.organization_id), "name": "A", "date": "2031-07-12T21:00:00Z"}
    return where | {"capacity": 5, "price_minor": 100, "currency": "EUR"}


async def cancelled_session(by: Organizer) -> str:
    path = await by.session()
    assert (await by.call("POST", f"{path}/cancel")).status_code == 200
    return f"{path}/refunds"


async def refund_session(by: Organizer) -> httpx.Response:
    return await by.call("POST", await cancelled_session(by), {})


async def retry_session(by: Organizer) -> httpx.Response:
    path = await cancelled_session(by)
    await by.make(path, {})
    return await by.call("POST", f"{path}/retry")


async def move_session(by: Organizer) -> httpx.Response:
    until = (now() + timedelta(days=1)).isoformat()
    body = {"starts_local": "2032-03-01T20:00", "answer_until": until, "default": "keep"}
    return await by.call("POST", f"/sessions/{by.shop.sale.made.session_id}/move", body)


SINCE = {"since": "2026-01-01T00:00:00Z"}

WAYS: Mapping[str, tuple[str, Way]] = {
    f"PATCH {ORGANIZATION}": ("organization.update", lambda by: by.call("PATCH", ORGANIZATION, {"language": "pt"})),
    f"POST {ORGANIZATION}/invitations": ("member.invite", lambda by: by.call("POST", INVITATIONS, invitation())),
    f"DELETE {ORGANIZATION}/invitations/{{invitation_id}}": ("member.uninvite", revoke_invitation),
    f"PATCH {ORGANIZATION}/members/{{user_id}}": (
        "member.change_role",
        lambda by: on_member(by, "PATCH", {"role": "manager"}),
    ),
    f"DELETE {ORGANIZATION}/members/{{user_id}}": ("member.remove", lambda by: on_member(by, "DELETE")),
    f"POST {ORGANIZATION}/api-keys": (
        "api_key.issue",
        lambda by: by.call("POST", f"{ORGANIZATION}/api-keys", {"name": "door", "role": "scanner"}),
    ),
    f"PUT {KEYS}": ("provider_keys.set", set_keys),
    f"DELETE {KEYS}": ("provider_keys.remove", remove_keys),
    f"POST {CASES}/{{case_id}}/resolve": ("money_case.resolve", resolve_money_case),
    f"DELETE {ORGANIZATION}/api-keys/{{api_key_id}}": ("api_key.revoke", delete_api_key),
    f"POST {ORGANIZATION}/seat-maps": (
        "seat_map.publish",
        lambda by: by.call("POST", f"{ORGANIZATION}/seat-maps", fullhouse_document()),
    ),
    f"POST {ORGANIZATION}/events": (
        "event.create",
        lambda by: by.call("POST", f"{ORGANIZATION}/events", {"name": "A", "currency": "EUR"}),
    ),
    f"POST {ORGANIZATION}/buyers/export": (
        "buyer.export",
        lambda by: by.call("POST", f"{ORGANIZATION}/buyers/export", {"email": "nobody@example.org"}),
    ),
    f"POST {ORGANIZATION}/buyers/erase": (
        "buyer.erase",
        lambda by: by.call("POST", f"{ORGANIZATION}/buyers/erase", {"email": "nobody@example.org"}),
    ),
    "POST /events": ("event.publish", lambda by: by.call("POST", "/events", simple_event(by))),
    "PUT /events/{event_id}/form": ("event.ask", lambda by: on_event(by, "PUT", "/form", {})),
    "PATCH /events/{event_id}": ("event.update", lambda by: on_event(by, "PATCH", "", {"name": "B"})),
    "DELETE /events/{event_id}": ("event.delete", lambda by: on_event(by, "DELETE", "")),
    "POST /events/{event_id}/publish": ("event.publish", lambda by: on_event(by, "POST", "/publish")),
    "POST /events/{event_id}/cancel": ("event.cancel", lambda by: on_event(by, "POST", "/cancel")),
    "POST /events/{event_id}/sessions": (
        "session.schedule",
        lambda by: on_event(by, "POST", "/sessions", session_body()),
    ),
    "POST /sessions/{session_id}/move": ("session.move", move_session),
    "POST /sessions/{session_id}/refunds": ("session.refund", refund_session),
    "POST /sessions/{session_id}/refunds/retry": ("session.retry_refund", retry_session),
    "PATCH /sessions/{session_id}": ("session.update", lambda by: on_session(by, "PATCH", "", {"name": "B"})),
    "DELETE /sessions/{session_id}": ("session.delete", lambda by: on_session(by, "DELETE", "")),
    "POST /sessions/{session_id}/cancel": ("session.cancel", lambda by: on_session(by, "POST", "/cancel")),
    f"PUT {ORGANIZATION}/charges": ("charges.declare", lambda by: by.call("PUT", f"{ORGANIZATION}/charges", CHARGES)),
    f"DELETE {ORGANIZATION}/charges": ("charges.withdraw", lambda by: withdraw(by, ORGANIZATION)),
    "PUT /events/{event_id}/charges": ("charges.declare", lambda by: on_event(by, "PUT", "/charges", CHARGES)),
    "DELETE /events/{event_id}/charges": ("charges.withdraw", withdraw_from_event),
    "PUT /sessions/{session_id}/charges": ("charges.declare", lambda by: on_session(by, "PUT", "/charges", CHARGES)),
    "DELETE /sessions/{session_id}/charges": ("charges.withdraw", withdraw_from_session),
    f"POST {ORGANIZATION}/codes": ("code.create", lambda by: by.call("POST", f"{ORGANIZATION}/codes", CODE)),
    f"PUT {ORGANIZATION}/codes/{{code_id}}": ("code.update", change_code),
    "POST /sessions/{session_id}/complimentary-orders": ("order.give", give_tickets),
    "POST /sessions/{session_id}/allocations": (
        "stock.block",
        lambda by: by.call(
            "POST",
            f"/sessions/{by.shop.sale.made.session_id}/allocations",
            {"name": "House", "quantities": {"standing": 1}},
        ),
    ),
    "DELETE /sessions/{session_id}/allocations/{allocation_id}": ("stock.release", delete_allocation),
    "POST /sessions/{session_id}/allocations/{allocation_id}/reservations": ("stock.reserve", reserve_from_allocation),
    "POST /orders/{order_id}/cancel": ("order.cancel", cancel_order),
    "PUT /orders/{order_id}/contact": ("order.correct_contact", correct_contact),
    "POST /orders/{order_id}/refunds": ("order.refund", refund_order),
    "POST /refunds/{refund_id}/retry": ("refund.retry", retry_refund),
    "POST /tickets/validate": ("ticket.scan", validate_ticket),
    f"POST {HOOKS}": (
        "webhook_endpoint.create",
        lambda by: by.call("POST", HOOKS, {"url": "https://hooks.example.org/in", "types": ["order.paid"]}),
    ),
    f"PATCH {HOOK}": ("webhook_endpoint.update", lambda by: on_hook(by, "PATCH", "", {"description": "B"})),
    f"DELETE {HOOK}": ("webhook_endpoint.delete", lambda by: on_hook(by, "DELETE", "")),
    f"POST {HOOK}/rotate-secret": (
        "webhook_endpoint.rotate_secret",
        lambda by: on_hook(by, "POST", "/rotate-secret", {}),
    ),
    f"POST {HOOK}/test": ("webhook_endpoint.test", lambda by: on_hook(by, "POST", "/test")),
    f"POST {HOOK}/replay": ("webhook_endpoint.replay", lambda by: on_hook(by, "POST", "/replay", SINCE)),
    f"POST {HOOK}/deliveries/{{delivery_id}}/replay": ("webhook_delivery.replay", replay_delivery),
}
"""For each operation the entry that it must leave, and how to make it succeed."""

BY_BUYERS_TOO = {"POST /orders/{order_id}/cancel"}


async def on_event(by: Organizer, method: str, path: str, body: Any = None) -> httpx.Response:
    return await by.call(method, await by.event_with_session() + path, body)


async def on_session(by: Organizer, method: str, path: str, body: Any = None) -> httpx.Response:
    return await by.call(method, await by.session() + path, body)


async def on_hook(by: Organizer, method: str, path: str, body: Any = None) -> httpx.Response:
    return await by.call(method, await by.hook() + path, body)


@pytest.fixture(scope="module")
async def organizer(pool: Pool, client: httpx.AsyncClient) -> Organizer:
    shop = Shop(await make_sale(pool, capacity=100), client)
    return Organizer(shop, await shop.member("owner"))


def changing_operations(document: dict[str, Any]) -> set[str]:
    """List what members may call that is no GET."""
    return {
        f"{method.upper()} {path.removeprefix(API)}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in {"post", "put", "patch", "delete"}
        and operation["x-permission"] not in {"public", "holder", "signed_in"}
        and any("Bearer" in scheme for scheme in operation["security"])
    }


async def test_every_operation_of_organizers_and_the_door_is_tried_here(client: httpx.AsyncClient) -> None:
    document = (await client.get(str(client.base_url.join("/openapi.json")))).json()
    found = changing_operations(document)
    assert len(found) > 20
    assert sorted(found - set(WAYS)) == []
    assert sorted(set(WAYS) - found) == []


@pytest.mark.parametrize("operation", WAYS)
async def test_operation_leaves_an_entry(pool: Pool, organizer: Organizer, operation: str) -> None:
    action, way = WAYS[operation]
    answer = await way(organizer)
    assert answer.is_success, answer.text
    found = await entries_of(pool, organizer.organization_id, request_id=answer.headers["X-Request-ID"])
    assert action in [entry["action"] for entry in found]
    assert {entry["actor_kind"] for entry in found} == {"api_key"}
    assert all(entry["origin_digest"] for entry in found)


async def test_refused_operation_leaves_none(pool: Pool, organizer: Organizer) -> None:
    before = len(await entries_of(pool, organizer.organization_id))
    for path in ("events", "sessions"):
        assert (await organizer.call("POST", f"/{path}/{uuid4()}/cancel")).status_code == 404
    assert (await organizer.call("POST", f"/orders/{uuid4()}/refunds", {})).status_code == 404
    assert len(await entries_of(pool, organizer.organization_id)) == before
