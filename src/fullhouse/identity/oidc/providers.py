"""Which providers of identities there are, as the settings name them. Pure."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

PROVIDERS_MAX = 20
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_FIELDS = {"name", "issuer", "client_id", "client_secret", "title"}


@dataclass(frozen=True, slots=True)
class Provider:
    """Who says who somebody is."""

    name: str
    """Stands in addresses."""
    title: str
    """For people."""
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


def parse_providers(text: str) -> tuple[Provider, ...]:
    """Read ``[{"name": …, "issuer": …, "client_id": …, "client_secret": …, "title": …}]``.

    Raises ``ValueError`` with what to write instead.
    """
    try:
        listed: Any = json.loads(text)
    except ValueError as unreadable:
        raise ValueError("write a JSON list of providers") from unreadable
    if not isinstance(listed, list) or len(cast("list[Any]", listed)) > PROVIDERS_MAX:
        raise ValueError(f"write a JSON list of at most {PROVIDERS_MAX} providers")
    found = tuple(_parse(item) for item in cast("list[Any]", listed))
    if len({provider.name for provider in found}) != len(found):
        raise ValueError("each provider has a name of its own")
    return found


def is_safe_url(url: str) -> bool:
    """Say whether what is sent there stays secret: by https, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"})


def _parse(item: object) -> Provider:
    values = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    texts = {name: value for name, value in values.items() if isinstance(value, str) and value}
    if set(values) - _FIELDS or {"name", "issuer", "client_id", "client_secret"} - set(texts):
        raise ValueError("each provider has name, issuer, client_id, client_secret and, if you like, title")
    if not _NAME.fullmatch(texts["name"]):
        raise ValueError("a provider's name has small letters, digits and hyphens")
    if not is_safe_url(texts["issuer"]):
        raise ValueError("a provider's issuer is an https address")
    return Provider(
        name=texts["name"],
        title=texts.get("title", texts["name"].capitalize()),
        issuer=texts["issuer"],
        client_id=texts["client_id"],
        client_secret=texts["client_secret"],
    )
