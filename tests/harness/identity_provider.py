"""A small provider of identities by OpenID Connect, on loopback, that can also answer badly."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT = ("fullhouse", "a secret of the client")


@dataclass
class IdentityProvider:
    """Its keys, whom it would sign in, and how it goes wrong."""

    issuer: str = ""
    keys: dict[str, Any] = field(
        default_factory=lambda: {
            "RS256": RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"}),
            "ES256": ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"}),
        }
    )
    algorithm: str = "RS256"
    person: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    """Claims that are written otherwise; ``...`` leaves one out."""
    signs_with: Any = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def agree(self, authorization_url: str) -> tuple[str, str]:
        """Play the person who agrees: return the code and the state that the browser is sent back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = sha256(authorization_url.encode()).hexdigest()
        self.codes[code] = query
        return code, query["state"]

    def serve(self, method: str, path: str, body: str) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        if path == "/keys":
            return 200, KeySet(list(self.keys.values())).as_dict(private=False)
        if (method, path) == ("POST", "/token"):
            return self._exchange({name: values[0] for name, values in parse_qs(body).items()})
        return 404, {}

    def _exchange(self, form: dict[str, str]) -> tuple[int, Any]:
        asked = self.codes.pop(form.get("code", ""), None)
        good = (
            asked is not None
            and (form["client_id"], form["client_secret"]) == CLIENT
            and form["redirect_uri"] == asked["redirect_uri"]
            and create_s256_code_challenge(form["code_verifier"]) == asked["code_challenge"]
        )
        if asked is None or not good:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT[0],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.changes,
        }
        key = self.signs_with or self.keys[self.algorithm]
        head = {"alg": self.algorithm, "kid": self.keys[self.algorithm].kid}
        token = jwt.encode(head, {k: v for k, v in claims.items() if v is not ...}, key, algorithms=[self.algorithm])
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}


@asynccontextmanager
async def running_provider() -> AsyncGenerator[IdentityProvider]:
    """Serve a provider on a free port."""
    provider = IdentityProvider()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        length = int(fields.get("content-length", "0"))
        body = (await reader.readexactly(length)).decode()
        method, path, _ = head.split(" ", 2)
        status, answer = provider.serve(method, path, body)
        data = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(data)) + data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    provider.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield provider
