"""An organization whose sale is over, and everybody who may ask about it."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from access.matrix import Row
from harness.catalogue import session_body
from harness.members import People
from harness.sale import make_sale
from harness.shop import Shop, holder, reservation
from harness.stock import SERVER_KEY
from harness.web import Seller, make_seller

from fullhouse.access.rules import PERMISSIONS
from fullhouse.identity.find_signed_in import SignedInUsers
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role
from fullhouse.tickets.code import TicketClaims, derive_signing_key, make_code
from fullhouse.tickets.issue_tickets import issue_tickets
from fullhouse.web.edge import Edge

Headers = dict[str, str]


@dataclass
class House:
    """An organization with a sale that is over, and everybody who may ask about it."""

    pool: Pool
    client: httpx.AsyncClient
    organization_id: UUID
    ids: dict[str, str]
    others: dict[str, str]
    code: str
    order: Headers
    reservation: Headers
    askers: dict[str, Headers]
    operations: dict[str, str]
    """Each operation of the document with its permission."""
    scoped: dict[str, Headers]

    def path(self, operation: str, row: Row) -> str:
        ids = {**self.ids, **(self.others if row.other else {})}
        path = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], str(uuid4())), operation.split(" ")[1])
        return path if operation.split(" ")[1] in OUTSIDE else f"/api/v1{path}"

    def body(self, row: Row) -> Any:
        if row.body == "scan":
            return {"code": self.code}
        if row.body == "session":
            return session_body()
        if row.body == "simple event":
            where = {"organization_id": str(self.organization_id), "name": "A", "date": "2031-07-12T21:00:00Z"}
            return where | {"capacity": 5, "price_minor": 100, "currency": "EUR"}
        return row.body

    def headers(self, operation: str, row: Row, asker: str) -> Headers:
        if asker in ("holder", "wrong_secret"):
            sent = {"Reservation": self.reservation, "Allocation": NO_ALLOCATION}.get(row.secret, self.order)
            return sent if asker == "holder" else {name: text[:-1] + _other(text[-1]) for name, text in sent.items()}
        if asker == "scoped_key":
            return self.scoped.get(self.operations[operation], self.askers["key_without_scope"])
        if asker == "key_without_scope" and self.operations[operation] == "report:read":
            return self.scoped["ticket:scan"]
        return self.askers[asker]

    async def ask(self, operation: str, row: Row, asker: str) -> httpx.Response:
        return await self.client.request(
            operation.split(" ", maxsplit=1)[0],
            self.path(operation, row),
            json=self.body(row),
            headers=self.headers(operation, row, asker),
        )

    async def state(self) -> Any:
        """Digest what refusals must not change."""
        async with connection(self.pool, EVERY_ORGANIZATION) as conn:
            return await conn.fetchval(STATE, self.organization_id)


NO_ALLOCATION = {"Authorization": f"Allocation {'A' * 22}"}
OUTSIDE = {"/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"}
STATE = """
SELECT ARRAY[
    (SELECT count(*)::text FROM audit_entries WHERE organization_id = $1),
    (SELECT count(*)::text FROM outbox WHERE organization_id = $1),
    (SELECT count(*)::text FROM admissions WHERE organization_id = $1),
    (SELECT count(*)::text FROM invitations WHERE organization_id = $1),
    (SELECT count(*)::text FROM webhook_endpoints WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY event_id)) FROM events t WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY session_id)) FROM sessions t WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY session_id)) FROM stock t WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY reservation_id)) FROM reservations t WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY order_id)) FROM orders t WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY refund_id)) FROM refunds t WHERE organization_id = $1),
    (SELECT md5(string_agg(t::text, '' ORDER BY user_id)) FROM members t WHERE organization_id = $1),
    (SELECT md5(string_agg(revoked_at::text, '' ORDER BY api_key_id)) FROM api_keys WHERE organization_id = $1),
    (SELECT md5(t::text) FROM organizations t WHERE organization_id = $1)
]
"""


def _other(character: str) -> str:
    return "A" if character != "A" else "B"


async def build_house(app: Edge, client: httpx.AsyncClient, pool: Pool) -> House:
    """Sell through an app, and gather everybody."""
    shop = Shop(await make_sale(pool, capacity=50), httpx.AsyncClient(transport=client._transport))
    shop.client.base_url = client.base_url.join("/api/v1")
    sale = await sell(shop)
    organization_id = shop.sale.made.organization_id
    askers = await make_askers(pool, People(app, pool), organization_id)
    found = operations_of((await client.get("/openapi.json")).json())
    keys = {name: await key_of(pool, organization_id, scopes=(name,)) for name in sorted(PERMISSIONS[Role.OWNER])}
    return House(pool, client, organization_id, askers=askers, operations=found, scoped=keys, **sale)


async def sell(shop: Shop) -> dict[str, Any]:
    """Sell tickets, and refund them: nothing that is asked for later changes an order that is over."""
    made = shop.sale.made
    owner = await shop.member("owner")
    held = await shop.reserve(2)
    body = {"reservation_id": held["id"], "email": "ana.souza@example.org"}
    order = (await shop.client.post("/orders", json=body, headers=reservation(held))).json()
    await shop.pay(order)
    await shop.sale.work()
    async with transaction(shop.sale.pool, EVERY_ORGANIZATION) as conn:
        [ticket, _] = await issue_tickets(conn, make_id, SERVER_KEY, made.organization_id, UUID(order["id"]))
    claims = TicketClaims(ticket.key_id, 1, ticket.event_id, ticket.session_id, ticket.ticket_id)
    refunded = (await shop.client.post(f"/orders/{order['id']}/refunds", json={}, headers=owner)).json()
    new = {"organization_id": str(made.organization_id), "name": "B", "date": "2031-07-12T21:00:00Z"}
    other = await shop.client.post(
        "/events", json=new | {"capacity": 5, "price_minor": 100, "currency": "EUR"}, headers=owner
    )
    return {
        "ids": {
            "organization_id": str(made.organization_id),
            "event_id": str(ticket.event_id),
            "session_id": str(made.session_id),
            "reservation_id": held["id"],
            "order_id": order["id"],
            "ticket_id": str(ticket.ticket_id),
            "refund_id": refunded["refunds"][0]["id"],
            "kind": "orders",
            "provider": "nobody",
        },
        "others": {
            "organization_id": str(uuid4()),
            "event_id": other.json()["id"],
            "session_id": other.json()["sessions"][0]["id"],
        },
        "code": make_code(claims, derive_signing_key(SERVER_KEY, made.organization_id, ticket.key_id)),
        "order": holder(order),
        "reservation": reservation(held),
    }


async def make_askers(pool: Pool, people: People, organization_id: UUID) -> dict[str, Headers]:
    foreign: Seller = await make_seller(pool)
    askers: dict[str, Headers] = {"anonymous": {}}
    for role in Role:
        askers[role.value] = (await people.join(organization_id, role)).bearer
    askers["foreigner"] = (await people.join(foreign.organization_id, "owner")).bearer
    askers["foreign_key"] = foreign.bearer("owner")
    askers["scanner_key"] = await key_of(pool, organization_id, role=Role.SCANNER)
    # No operation of a role asks for this one alone.
    askers["key_without_scope"] = await key_of(pool, organization_id, scopes=("report:read",))
    for column in ("expired", "revoked"):
        name = f"{column}_key"
        askers[name] = await key_of(pool, organization_id, name=name)
        sql = {
            "expired": "UPDATE api_keys SET expires_at = clock_timestamp() WHERE organization_id = $1 AND name = $2",
            "revoked": "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE organization_id = $1 AND name = $2",
        }
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            await conn.execute(sql[column], organization_id, name)  # pyright: ignore[reportArgumentType] (one of two literals)
    good = (await people.join(organization_id, "owner")).bearer["Authorization"]
    askers["forged_token"] = {"Authorization": good[:-5] + "".join(_other(one) for one in good[-5:])}
    ended = await people.join(organization_id, "owner")
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE token_families SET revoked_at = clock_timestamp() WHERE family_id = $1", ended.family_id
        )
    users: SignedInUsers = people.app.api.state.actors.users
    users.forget(ended.family_id)
    askers["ended_token"] = ended.bearer
    return askers


async def key_of(
    pool: Pool, organization_id: UUID, name: str = "key", role: Role = Role.OWNER, scopes: tuple[str, ...] | None = None
) -> Headers:
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        new = NewApiKey(name, role, scopes=scopes)
        _, text = await issue_api_key(conn, make_id, randomness, organization_id, new)
    return {"Authorization": f"Bearer {text}"}


def operations_of(document: dict[str, Any]) -> dict[str, str]:
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation["x-permission"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
