"""Files that never change under their address: the address holds a hash of the content.

A script names another as it is called in the package, and is served with the address of it in that place.
"""

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
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LIBRARIES = frozenset({"stream-1.js"})
"""What others may load too, under an address that stays."""
_IMPORT = b'from "./'

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
    read = {file.name: file.read_bytes() for file in files("fullhouse.web.pages.shop").joinpath("static").iterdir()}
    found: dict[str, Asset] = {}
    # Those that name others come last, so that the others' addresses are known.
    for name, original in sorted(read.items(), key=lambda one: _IMPORT in one[1]):
        data = original
        for other, asset in found.items():
            data = data.replace(_IMPORT + other.encode(), _IMPORT + asset.served_name.encode())
        stem, _, ending = name.rpartition(".")
        served = f"{stem}.{sha256(data).hexdigest()[:12]}.{ending}"
        found[name] = Asset(served, _TYPES[f".{ending}"], data)
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
        is_other_version = _HASH.sub(".", served_name) == name and _HASH.search(served_name)
        if is_other_version or (served_name == name and name in LIBRARIES):
            return Response(asset.data, media_type=asset.media_type, headers={"Cache-Control": "no-cache"})
    raise RouteUnknown
