"""Talking to a provider: its description, its keys, and the exchange of a code for an ID token."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import quote

import httpx

from fullhouse.core.clock import Clock
from fullhouse.identity.oidc.providers import Provider, is_safe_url
from fullhouse.identity.rules import ProviderRefused, ProviderUnreachable

SECONDS_MAX = 10.0
BYTES_MAX = 262_144
KEPT_SECONDS = 3_600
"""How long a description and its keys are kept; keys are asked for again when a token names another one."""

_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Description:
    """What a provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    """Whether the client's secret goes into the header, as the standard prefers."""


class ProviderLine:
    """The line to one provider. No redirects, ten seconds, and no more than 256 kB an answer."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        """Ask nothing yet."""
        self.provider = provider
        self._clock = clock
        self._description: tuple[Description, datetime] | None = None
        self._keys: tuple[Mapping[str, Any], datetime] | None = None

    async def describe(self) -> Description:
        """Return the provider's description. Raises ``ProviderUnreachable``."""
        if self._description is None or self._description[1] <= self._clock():
            found = await self._ask("GET", self.provider.issuer.rstrip("/") + _DISCOVERY)
            if found.get("issuer") != self.provider.issuer:
                raise ProviderUnreachable("The provider describes itself as another issuer.", retry_after_seconds=60)
            methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            description = Description(
                authorization_endpoint=_url(found, "authorization_endpoint"),
                token_endpoint=_url(found, "token_endpoint"),
                jwks_uri=_url(found, "jwks_uri"),
                takes_basic="client_secret_basic" in methods,
            )
            self._description = description, self._kept_until()
        return self._description[0]

    async def fetch_keys(self, *, anew: bool = False) -> Mapping[str, Any]:
        """Return the provider's key set. Raises ``ProviderUnreachable``."""
        if anew or self._keys is None or self._keys[1] <= self._clock():
            self._keys = await self._ask("GET", (await self.describe()).jwks_uri), self._kept_until()
        return self._keys[0]

    async def exchange_code(self, code: str, verifier: str, redirect_uri: str) -> str:
        """Return the ID token for a code. Raises ``ProviderRefused``, ``ProviderUnreachable``."""
        description = await self.describe()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.provider.client_id,
        }
        # RFC 6749 has both encoded as in forms before they are joined.
        who = quote(self.provider.client_id, safe=""), quote(self.provider.client_secret, safe="")
        if description.takes_basic:
            answer = await self._ask("POST", description.token_endpoint, data=form, auth=httpx.BasicAuth(*who))
        else:
            form["client_secret"] = self.provider.client_secret
            answer = await self._ask("POST", description.token_endpoint, data=form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderRefused
        return token

    async def _ask(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:  # noqa: ANN401 (of the client)
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS_MAX, follow_redirects=False, trust_env=False) as client,
                client.stream(method, url, **more) as answer,
            ):
                data = bytearray()
                async for part in answer.aiter_bytes():
                    data += part
                    if len(data) > BYTES_MAX:
                        raise ProviderUnreachable("The provider's answer is too long.", retry_after_seconds=60)
        except httpx.HTTPError as lost:
            raise ProviderUnreachable(retry_after_seconds=5) from lost
        if 400 <= answer.status_code < 500 and method == "POST":
            raise ProviderRefused
        try:
            found: object = json.loads(data)
        except ValueError as unreadable:
            raise ProviderUnreachable(retry_after_seconds=60) from unreadable
        if answer.status_code != 200 or not isinstance(found, dict):
            raise ProviderUnreachable(retry_after_seconds=5)
        return cast("dict[str, Any]", found)

    def _kept_until(self) -> datetime:
        return self._clock() + timedelta(seconds=KEPT_SECONDS)


def _url(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not is_safe_url(url):
        raise ProviderUnreachable(f"The provider's {name} is no https address.", retry_after_seconds=60)
    return url
