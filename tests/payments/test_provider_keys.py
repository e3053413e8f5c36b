"""An organization's keys: given by owners, checked, sealed, shown never again, and rotated."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app
from harness.stock import SERVER_KEY
from harness.stripe_simulator.server import SECRET_KEY, WEBHOOK_SECRET, StripeSimulator
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.payments.providers.keyring import Keyring, KeysSealedElsewhere
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.providers.stripe import StripeProvider
from fullhouse.payments.providers.stripe_amounts import from_stripe, to_stripe
from fullhouse.payments.rules import ProviderRefused

KEYS = {
    "secret_key": SECRET_KEY,
    "publishable_key": "pk_test_simulated12345678",
    "webhook_secret": WEBHOOK_SECRET,
}


@pytest.fixture
async def shop(pool: Pool, valkey: Valkey, tmp_path: Path, stripe: StripeSimulator) -> AsyncIterator[Shop]:
    sale = await make_sale(pool)
    keyring = Keyring(pool, system.now, SERVER_KEY)
    provider = StripeProvider(keyring, system.now, "http://tickets.example", stripe.url)
    sale.providers = Providers({**sale.providers.by_name, "stripe": provider})
    async with open_app(pool, valkey, tmp_path, stripe_api=stripe.url) as client:
        yield Shop(sale, client)
    await provider.close()


def path_of(shop: Shop, provider: str = "stripe") -> str:
    return f"/organizations/{shop.sale.made.organization_id}/payment-providers/{provider}"


async def put(shop: Shop, role: str = "owner", **keys: Any) -> Any:
    return await shop.client.put(path_of(shop), json=keys, headers=await shop.member(role))


async def test_keys_are_checked_sealed_and_never_shown_again(shop: Shop) -> None:
    set_now = await put(shop, **KEYS)
    assert set_now.status_code == 200, set_now.text
    owner = await shop.member("owner")
    listed = await shop.client.get(path_of(shop).rpartition("/")[0], headers=owner)
    assert listed.json() == {"items": [set_now.json()]}
    shown = set_now.json()
    assert (shown["secret_key_hint"], shown["webhook_secret_hints"]) == ("sk_test_…5678", ["whsec_…ret1"])
    assert shown["moves_money"] is False
    assert shown["webhook_url"].endswith(f"/api/v1/payments/webhooks/stripe/{shop.sale.made.organization_id}")
    stored = await shop.sale.pool.fetchrow(
        "SELECT * FROM provider_keys WHERE organization_id = $1", shop.sale.made.organization_id
    )
    everything = listed.text + str(dict(stored or {}))
    assert SECRET_KEY not in everything
    assert WEBHOOK_SECRET not in everything


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"secret_key": "sk_test_wrong12345678"}, "secret_key"),
        ({"secret_key": "not a key at all"}, "secret_key"),
        ({"secret_key": "pk_test_simulated12345678"}, "secret_key"),
        ({"publishable_key": "pk_live_simulated12345678"}, "publishable_key"),
        ({"webhook_secret": "secret123456"}, "webhook_secret"),
        ({"webhook_secret": None}, "webhook_secret"),
    ],
)
async def test_what_is_no_key_is_refused_and_not_repeated(shop: Shop, change: dict[str, Any], field: str) -> None:
    sent = {**KEYS, **change}
    refused = await put(shop, **sent)
    assert refused.status_code == 422, refused.text
    assert field in refused.text
    assert not any(value and value in refused.text for value in sent.values())
    order = await shop.order()
    answer = await shop.client.post(
        f"/orders/{order['id']}/payments", json={"provider": "stripe"}, headers=holder(order)
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "provider_unknown")


async def test_only_owners_set_keys(shop: Shop) -> None:
    for role in ("manager", "box_office", "scanner"):
        assert (await put(shop, role, **KEYS)).status_code == 403
        assert (await shop.client.delete(path_of(shop), headers=await shop.member(role))).status_code == 403
    stranger = await make_sale(shop.sale.pool)
    headers = await shop.member("owner", stranger)
    assert (await shop.client.put(path_of(shop), json=KEYS, headers=headers)).status_code == 404
    owner = await shop.member("owner")
    assert (await shop.client.put(path_of(shop, "gold"), json=KEYS, headers=owner)).status_code == 404
    assert (await shop.client.put(path_of(shop, "simulated"), json=KEYS, headers=owner)).status_code == 422


async def start(shop: Shop) -> tuple[dict[str, Any], dict[str, Any]]:
    order = await shop.order()
    answer = await shop.client.post(
        f"/orders/{order['id']}/payments", json={"provider": "stripe"}, headers=holder(order)
    )
    assert answer.status_code == 201, answer.text
    return order, answer.json()


async def test_the_secret_of_an_intent_is_shown_to_the_holder_alone(shop: Shop) -> None:
    assert (await put(shop, **KEYS)).status_code == 200
    order = await shop.order()
    path, body = f"/orders/{order['id']}/payments", {"provider": "stripe", "form": "payment_intent"}
    started = (await shop.client.post(path, json=body, headers=holder(order))).json()
    assert started["next_step"]["publishable_key"] == KEYS["publishable_key"]
    seen = [await shop.client.get(path, headers=who) for who in (holder(order), await shop.member("owner"))]
    steps = [answer.json()["items"][0]["next_step"] for answer in seen]
    assert steps == [started["next_step"], {"type": "stripe_payment_intent"}]


async def send(shop: Shop, stripe: StripeSimulator, secret: str) -> int:
    raw, headers = stripe.signed(stripe.books.events[-1], secret)
    path = f"/payments/webhooks/stripe/{shop.sale.made.organization_id}"
    return (await shop.client.post(path, content=raw, headers=headers)).status_code


async def test_a_buyer_is_led_to_stripe_and_secrets_rotate(shop: Shop, stripe: StripeSimulator) -> None:
    assert (await put(shop, **KEYS)).status_code == 200
    order, payment = await start(shop)
    assert payment["next_step"]["type"] == "redirect"
    session = next(thing for thing in stripe.books.things.values() if thing["object"] == "checkout.session")
    assert order["secret"] not in json.dumps(session)
    stripe.books.pay(session["id"])
    assert await send(shop, stripe, "whsec_guessed12345") == 400
    assert (await put(shop, webhook_secret="whsec_newer123456", previous_secret_seconds=3600)).status_code == 200
    assert await send(shop, stripe, "whsec_newer123456") == 200
    assert await send(shop, stripe, WEBHOOK_SECRET) == 200
    assert (await put(shop, webhook_secret="whsec_newest12345", previous_secret_seconds=0)).status_code == 200
    assert await send(shop, stripe, WEBHOOK_SECRET) == 400
    assert await send(shop, stripe, "whsec_newest12345") == 200
    await shop.sale.work()
    assert (await shop.sale.show(UUID(order["id"]))).status == "paid"
    other = await make_sale(shop.sale.pool)
    raw, headers = stripe.signed(stripe.books.events[-1], "whsec_newest12345")
    elsewhere = f"/payments/webhooks/stripe/{other.made.organization_id}"
    assert (await shop.client.post(elsewhere, content=raw, headers=headers)).status_code == 400
    assert (await shop.client.post("/payments/webhooks/stripe", content=raw, headers=headers)).status_code == 400


async def test_keys_that_money_needs_are_not_removed(shop: Shop) -> None:
    assert (await put(shop, **KEYS)).status_code == 200
    order, _ = await start(shop)
    owner = await shop.member("owner")
    refused = await shop.client.delete(path_of(shop), headers=owner)
    assert (refused.status_code, refused.json()["code"]) == (409, "provider_in_use")
    assert refused.json()["open_payments"] == 1
    assert (await shop.client.post(f"/orders/{order['id']}/cancel", headers=holder(order))).status_code == 200
    assert (await shop.client.delete(path_of(shop), headers=owner)).status_code == 204
    assert (await shop.client.delete(path_of(shop), headers=owner)).status_code == 404


async def test_what_is_sealed_opens_only_where_it_belongs(shop: Shop) -> None:
    assert (await put(shop, **KEYS)).status_code == 200
    organization_id = shop.sale.made.organization_id
    row = await shop.sale.pool.fetchrow("SELECT * FROM provider_keys WHERE organization_id = $1", organization_id)
    assert row is not None
    keyring, now = Keyring(shop.sale.pool, system.now, SERVER_KEY), system.now()
    assert keyring.open(row, now).secret_key == SECRET_KEY
    moved = {**row, "organization_id": system.make_id()}
    changed = {**row, "sealed": row["sealed"][:-1] + bytes([row["sealed"][-1] ^ 1])}
    for other in (moved, changed, {**row, "provider": "gold"}):
        with pytest.raises(KeysSealedElsewhere):
            keyring.open(other, now)
    with pytest.raises(KeysSealedElsewhere):
        Keyring(shop.sale.pool, system.now, b"another server's secret, as long as it").open(row, now)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "theirs"),
    [(1234, "EUR", 1234), (500, "JPY", 500), (5, "ISK", 500), (5, "UGX", 500), (5000, "MGA", 50), (1230, "KWD", 1230)],
)
def test_amounts_are_written_as_stripe_writes_them(amount_minor: int, currency: str, theirs: int) -> None:
    assert to_stripe(amount_minor, currency) == theirs
    assert from_stripe(theirs, currency.lower()) == amount_minor


@pytest.mark.parametrize(("amount_minor", "currency"), [(1234, "KWD"), (5050, "MGA"), (1000, "IQD")])
def test_amounts_that_stripe_has_not_are_refused_and_not_rounded(amount_minor: int, currency: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        to_stripe(amount_minor, currency)
    assert refused.value.fields["reason"] == "amount_not_possible"
