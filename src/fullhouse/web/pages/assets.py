"""Files that never change under their address: the address holds a hash of the content."""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter, Response

from fullhouse.access.http import public
from fullhouse.web.errors import RouteUnknown

STATIC_PATH = "/static/"
FOREVER = "public, max-age=31536000, immutable"
_HASH = re.compile(r"\.[0-9a-f]{12}\.")
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False, dependencies=[public()])


@dataclass(frozen=True, slots=True)
class Asset:
    """A file with its type, and the name under which it is served."""

    served_name: str
    media_type: str
    data: bytes


@cache
def assets() -> dict[str, Asset]:
    """Read the files once, by their names in the package."""
    found: dict[str, Asset] = {}
    for file in files("fullhouse.web.pages.shop").joinpath("static").iterdir():
        stem, _, ending = file.name.rpartition(".")
        data = file.read_bytes()
        served = f"{stem}.{sha256(data).hexdigest()[:12]}.{ending}"
        found[file.name] = Asset(served, _TYPES[f".{ending}"], data)
    return found


def asset_path(name: str) -> str:
    """Return the address of a file."""
    return STATIC_PATH + assets()[name].served_name


@router.get(STATIC_PATH + "{served_name}")
async def get_asset(served_name: str) -> Response:
    """Serve a file. Under the name of another version it is served too, as it is now, and not to be kept.

    While versions are exchanged, the page of one process asks another for what it links to.
    """
    for name, asset in assets().items():
        if served_name == asset.served_name:
            return Response(asset.data, media_type=asset.media_type, headers={"Cache-Control": FOREVER})
        if _HASH.sub(".", served_name) == name and _HASH.search(served_name):
            return Response(asset.data, media_type=asset.media_type, headers={"Cache-Control": "no-cache"})
    raise RouteUnknown
