"""Secrets of reservations, orders and tickets: 128 bits, stored as hashes alone, compared in constant time."""

import ast
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app, reservation
from harness.sources import inside, modules
from harness.stock import SERVER_KEY
from valkey.asyncio import Valkey

from fullhouse.core.secrets import derive_key, derive_secret, hash_secret
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.infra.system import make_id, randomness
from fullhouse.tickets.issue_tickets import issue_tickets

SECRET = re.compile(r"[A-Za-z0-9_-]{22}")


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


def forms_of(secret: str) -> set[str]:
    """Return how a secret would look in a row as text: as it is, as bytes, and as the bytes that it stands for."""
    forms = {secret, secret.encode().hex()}
    if SECRET.fullmatch(secret):
        forms.add(urlsafe_b64decode(secret + "==").hex())
    return forms


async def tables_with(pool: Pool, *texts: str) -> set[str]:
    found: set[str] = set()
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        rows = await conn.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        for row in rows:
            table = row["relname"]
            query = f"SELECT count(*) FROM {table} t WHERE t::text LIKE ANY ($1)"
            if await conn.fetchval(query, [f"%{text}%" for text in texts]):  # pyright: ignore[reportArgumentType] (names of tables)
                found.add(table)
    return found


async def test_a_sale_leaves_no_secret_in_any_table(pool: Pool, client: httpx.AsyncClient) -> None:
    shop = Shop(await make_sale(pool), client)
    held = await shop.reserve()
    order = await shop.order(2)
    again = await client.post(
        "/orders",
        json={"reservation_id": held["id"], "email": "ana.souza@example.com"},
        headers=reservation(held) | {"Idempotency-Key": "kept"},
    )
    assert again.status_code == 201
    await shop.pay(order)
    await shop.sale.work()
    organization_id = shop.sale.made.organization_id
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        await issue_tickets(conn, make_id, SERVER_KEY, organization_id, order["id"])
    shown = (await client.get(f"/orders/{order['id']}", headers=holder(order))).json()
    secrets = [held["token"][22:], order["secret"], again.json()["secret"]]
    assert all(SECRET.fullmatch(secret) for secret in secrets)
    assert len(set(secrets)) == 3
    codes = [ticket["code"] for ticket in shown["tickets"]]
    assert len(codes) == 2
    for secret in (*secrets, held["token"], *codes):
        assert await tables_with(pool, *forms_of(secret)) == set()
    assert await tables_with(pool, hash_secret(held["token"][22:]).hex()) == {"reservations"}
    assert await tables_with(pool, hash_secret(order["secret"]).hex()) == {"orders"}
    assert await tables_with(pool, str(order["id"])) >= {"orders", "tickets"}, "rows are looked through"


def test_a_secret_has_128_bits() -> None:
    key = derive_key(randomness(32), "order")
    secrets = [derive_secret(key, make_id()) for _ in range(512)]
    values = [int.from_bytes(urlsafe_b64decode(secret + "==")) for secret in secrets]
    assert {len(urlsafe_b64decode(secret + "==")) * 8 for secret in secrets} == {128}
    assert len(set(values)) == 512
    for bit in range(128):
        share = sum(value >> bit & 1 for value in values)
        # Fair coins, 512 times: further off than that is seven standard deviations away.
        assert 177 < share < 335, bit
    thing = make_id()
    others = {derive_secret(derive_key(randomness(32), "order"), thing) for _ in range(3)}
    assert len(others | {derive_secret(derive_key(b"k" * 32, name), thing) for name in ("order", "reservation")}) == 5


IN_VARIABLE_TIME = {
    "infra/brokers/held_messages.py": "the token of a lease, which nobody outside ever names",
    "infra/brokers/kafka_backlog.py": "the same",
    "payments/providers/keyring.py": "an owner's own secrets, told apart while one takes the place of another",
}
_NAMED = re.compile(r"(hash|secret|token|digest|signature|password)$|^(derive_secret|hash_secret)$")


def name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return getattr(node, "id", "") or getattr(node, "attr", "")


def compared(source: str) -> Iterator[str]:
    """Find what is compared by ``==`` and sounds secret."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            yield from (name for name in map(name_of, [node.left, *node.comparators]) if _NAMED.search(name))


def test_no_secret_is_compared_by_its_first_difference() -> None:
    found = {inside(path) for path in modules() if list(compared(path.read_text(encoding="utf-8")))}
    assert found == set(IN_VARIABLE_TIME)
    assert list(compared("if hash_secret(sent) == order.secret_hash: pass")) == ["hash_secret", "secret_hash"]
    secrets = Path(__file__).parents[2] / "src" / "fullhouse" / "core" / "secrets.py"
    assert "return hmac.compare_digest(hash_secret(secret), stored_hash)" in secrets.read_text(encoding="utf-8")
