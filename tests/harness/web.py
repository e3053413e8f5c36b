"""The real app in the test's process, and organizations with keys to call it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from starlette.types import ASGIApp
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.mailer import open_mailer
from fullhouse.infra.object_store import open_object_store
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.infra.resources import Resources
from fullhouse.organizations.create_organization import create_organization
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, NewOrganization, Role
from fullhouse.settings import Settings
from fullhouse.web.app import create_app
from fullhouse.web.edge import Edge
from fullhouse.web.overload import Gate, Rank

SECRET_KEY = b"a secret key of the tests, 32 bytes and more"


def make_resources(pool: Pool, valkey: Valkey, folder: Path, **changes: Any) -> Resources:
    """Put real parts together: the worker's database and Valkey, and folders for objects and mail."""
    resources = Resources(
        pool=pool,
        valkey=valkey,
        object_store=open_object_store(str(folder / "objects")),
        mailer=open_mailer(str(folder / "mailbox"), "Fullhouse <tickets@fullhouse.example>"),
        broker_url="postgres",
        database_url="",
        secret_key=SECRET_KEY,
        public_url="http://tickets.example",
    )
    return replace(resources, **changes)


class OpenGate(Gate):
    """Refuses nobody: a test sends at once what it likes. What is refused, and when, has tests of its own."""

    def refuses(self, rank: Rank) -> bool:
        del rank
        return False


@asynccontextmanager
async def running_app(resources: Resources, **settings: object) -> AsyncGenerator[Edge]:
    """Make the app and run its start and its end, as a server does."""
    # Streams end at once, so that who asks for everything is not kept by one.
    defaults = {
        "simulated_payments": True,
        "rate_limits": False,
        "sign_in_unverified": True,
        "stream_seconds_max": 0.02,
    }
    app = create_app(resources, Settings.model_validate({**defaults, **settings}))
    app.traffic.gate = OpenGate()
    async with app.api.router.lifespan_context(app.api):
        yield app


def client_of(app: ASGIApp, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
    """Return a client that calls the app without a server between them, from a network address."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 123))
    return httpx.AsyncClient(transport=transport, base_url="http://tickets.example", headers=headers)


@dataclass(frozen=True)
class Seller:
    """An organization and the text of one key for each role."""

    organization_id: UUID
    keys: dict[Role, str]

    def bearer(self, role: str = "owner") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[Role(role)]}"}


async def make_seller(pool: Pool, name: str = "Teatro Aurora") -> Seller:
    """Make an organization with a key for each role."""
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        new = NewOrganization(name=name)
        organization = await create_organization(conn, system.make_id, system.now, new, None)
        keys: dict[Role, str] = {}
        for role in Role:
            issued = NewApiKey(name=role.value, role=role)
            _, keys[role] = await issue_api_key(
                conn, system.make_id, system.randomness, organization.organization_id, issued
            )
    return Seller(organization.organization_id, keys)
