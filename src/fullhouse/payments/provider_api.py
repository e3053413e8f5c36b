"""Routes of providers: an organization's keys for them, and the notices that they send."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import public, requires
from fullhouse.infra.hot import app_state, hot_route, send_answer
from fullhouse.infra.hot_reading import read_path_id, read_raw
from fullhouse.infra.http import ApiModel, ResourcesDep, Whole, problems
from fullhouse.infra.postgres import connection
from fullhouse.infra.resources import Resources
from fullhouse.payments.providers.keyring import Keyring, KnownKeys, list_known
from fullhouse.payments.providers.port import Provider, Providers, SentNotice
from fullhouse.payments.receive_webhook import NOTICE_BYTES_MAX, receive_webhook
from fullhouse.payments.rules import NoticeTooLarge, ProviderNotFound
from fullhouse.payments.set_provider_keys import KeyMeans, KeysChange, remove_provider_keys, set_provider_keys

router = APIRouter(tags=["payments"])

ProviderPath = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,39}$")]
KeyText = Annotated[str, Field(min_length=8, max_length=300, pattern="^[!-~]+$")]
_NOTICE_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
}


async def get_providers(request: Request) -> Providers:
    """Hand a route the providers that the operator offers."""
    providers: Providers = request.app.state.providers
    return providers


async def get_keyring(request: Request) -> Keyring:
    """Hand a route the keyring of this process."""
    keyring: Keyring = request.app.state.keyring
    return keyring


ProvidersDep = Annotated[Providers, Depends(get_providers)]
KeyringDep = Annotated[Keyring, Depends(get_keyring)]


class NoticeAnswer(ApiModel):
    """The notice has been taken; it is applied in the background, once, however often it comes."""

    received: Literal[True] = True


_RECEIVED = NoticeAnswer().model_dump_json().encode()


class SetKeys(ApiModel):
    """Keys for a provider; what is left out stays as it is. The first time both secrets are needed.

    A new ``webhook_secret`` is believed beside the one before it for ``previous_secret_seconds``.
    """

    secret_key: KeyText | None = None
    publishable_key: KeyText | None = None
    webhook_secret: KeyText | None = None
    previous_secret_seconds: Annotated[Whole, Field(ge=0, le=7 * 86_400)] = 86_400


class KeysAnswer(ApiModel):
    """Keys as they may be shown: their beginning and end. ``moves_money`` is false for keys of tests."""

    provider: str
    secret_key_hint: str
    publishable_key: str | None
    webhook_secret_hints: list[str]
    previous_secret_until: datetime | None
    moves_money: bool
    webhook_url: str
    """Where the provider has to send its notices."""
    updated_at: datetime


class KeysListAnswer(ApiModel):
    """The keys of an organization."""

    items: list[KeysAnswer]


def _answer(known: KnownKeys, public_url: str, organization_id: UUID) -> KeysAnswer:
    return KeysAnswer(
        provider=known.provider,
        secret_key_hint=known.secret_key_hint,
        publishable_key=known.publishable_key,
        webhook_secret_hints=list(known.webhook_secret_hints),
        previous_secret_until=known.previous_secret_until,
        moves_money=known.moves_money,
        webhook_url=f"{public_url}/api/v1/payments/webhooks/{known.provider}/{organization_id}",
        updated_at=known.updated_at,
    )


@router.get(
    "/organizations/{organization_id}/payment-providers",
    dependencies=[requires("payment_provider:write")],
    responses=problems(404),
)
async def get_keys(organization_id: UUID, resources: ResourcesDep) -> KeysListAnswer:
    """List the providers that the organization gave keys for."""
    async with connection(resources.pool, organization_id) as conn:
        known = await list_known(conn, organization_id)
    return KeysListAnswer(items=[_answer(one, resources.public_url, organization_id) for one in known])


@router.put(
    "/organizations/{organization_id}/payment-providers/{provider}",
    dependencies=[requires("payment_provider:write")],
    responses=problems(404, 409),
)
async def put_keys(
    organization_id: UUID,
    provider: ProviderPath,
    body: SetKeys,
    resources: ResourcesDep,
    providers: ProvidersDep,
    keyring: KeyringDep,
) -> KeysAnswer:
    """Set the organization's keys for a provider. They are checked with it, sealed, and never shown again."""
    change = KeysChange(**body.model_dump())
    means = KeyMeans(keyring, resources.clock, resources.randomness)
    port = _named(providers, provider)
    known = await set_provider_keys(resources.pool, means, organization_id, (provider, port), change)
    return _answer(known, resources.public_url, organization_id)


@router.delete(
    "/organizations/{organization_id}/payment-providers/{provider}",
    status_code=204,
    dependencies=[requires("payment_provider:write")],
    responses=problems(404, 409),
)
async def delete_keys(
    organization_id: UUID, provider: ProviderPath, resources: ResourcesDep, keyring: KeyringDep
) -> Response:
    """Forget the organization's keys for a provider, once no money is on its way that needs them."""
    await remove_provider_keys(resources.pool, keyring, organization_id, provider)
    return Response(status_code=204)


@hot_route(
    router,
    "POST /payments/webhooks/{provider}",
    takes={"provider": ProviderPath},
    response_model=NoticeAnswer,
    dependencies=[public()],
    responses=problems(404),
    openapi_extra=_NOTICE_BODY,
)
async def post_webhook(scope: Scope, receive: Receive, send: Send) -> None:
    """Take a provider's notice: verified by its signature over the raw bytes, stored, answered at once."""
    await _receive(scope, await read_raw(receive), None)
    await send_answer(send, 200, _RECEIVED)


@hot_route(
    router,
    "POST /payments/webhooks/{provider}/{organization_id}",
    takes={"provider": ProviderPath, "organization_id": UUID},
    response_model=NoticeAnswer,
    dependencies=[public()],
    responses=problems(404),
    openapi_extra=_NOTICE_BODY,
)
async def post_webhook_of(scope: Scope, receive: Receive, send: Send) -> None:
    """Take a notice at the address of an organization, whose own secret signs it."""
    await _receive(scope, await read_raw(receive), read_path_id(scope, "organization_id"))
    await send_answer(send, 200, _RECEIVED)


async def _receive(scope: Scope, raw: bytes, organization_id: UUID | None) -> None:
    state = app_state(scope)
    resources: Resources = state.resources
    name: str = scope["path_params"]["provider"]
    port = _named(state.providers, name)
    if len(raw) > NOTICE_BYTES_MAX:
        raise NoticeTooLarge
    headers = {header.decode("latin-1"): value.decode("latin-1") for header, value in scope["headers"]}
    sent = SentNotice(raw, headers, organization_id)
    await receive_webhook(resources.pool, resources.make_id, (name, port), sent, resources.clock())


def _named(providers: Providers, name: str) -> Provider:
    port = providers.by_name.get(name)
    if port is None:
        raise ProviderNotFound
    return port
