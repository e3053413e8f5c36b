"""The object store: documents by key, in a folder or in S3, chosen by URL.

``file:///var/lib/fullhouse/objects`` or a plain path is a folder. ``s3://bucket/prefix?endpoint=…&region=…`` is S3 or
what speaks like it, addressed path-style; credentials come from ``access_key_id`` and ``secret_access_key`` in the
query, or else from the standard AWS environment. Plain HTTP is allowed for an endpoint on loopback alone.
"""

from urllib.parse import SplitResult, parse_qsl, urlsplit

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.object_store_folder import FolderStore
from fullhouse.infra.object_store_port import ObjectMissing, ObjectStore, ObjectStoreUnavailable, is_key
from fullhouse.infra.object_store_s3 import S3Objects
from fullhouse.infra.places import folder_of, is_endpoint

__all__ = ["ObjectMissing", "ObjectStore", "ObjectStoreUnavailable", "open_object_store"]

_S3_OPTIONS = frozenset({"endpoint", "region", "access_key_id", "secret_access_key"})


def open_object_store(url: str) -> ObjectStore:
    """Return the store that a URL or a path names. Raises ``OperatorError`` with a sentence if it names none."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _open_s3(parts)
    return FolderStore(folder_of(url, "object store"))


def _open_s3(parts: SplitResult) -> ObjectStore:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - _S3_OPTIONS)
    if unknown:
        raise OperatorError(f"object store: s3://… does not know the option {', '.join(unknown)}")
    if not parts.netloc:
        raise OperatorError("object store: s3://bucket/prefix needs the name of a bucket")
    prefix = parts.path.strip("/")
    if prefix and not is_key(prefix):
        raise OperatorError(f"object store: not a prefix of keys: {prefix}")
    endpoint = options.get("endpoint")
    if endpoint is not None and not is_endpoint(endpoint):
        raise OperatorError("object store: the endpoint is https://…, or http://… on loopback")
    return S3Objects(parts.netloc, prefix, options)
