"""Valkey as a cluster: the client that everybody uses, over keys that are spread over several servers.

Every call of the product names one key, or several of one session, which its hash tag ``{session:…}`` keeps in one
slot; every script has one key. So nothing here needs two servers to agree.

Announcements go the ordinary way, over any server to all of them: who listens wants to hear of every session, and
sharded channels know no patterns. They are few (twenty a second for each session that sells) and short.
"""

from itertools import count
from typing import Any
from urllib.parse import unquote, urlsplit

from valkey.asyncio import ConnectionPool, SSLConnection
from valkey.asyncio.client import PubSub
from valkey.asyncio.cluster import ClusterNode, ClusterPipeline
from valkey.asyncio.cluster import ValkeyCluster as Client
from valkey.asyncio.connection import Connection

from fullhouse.infra.places import split_servers

SCHEMES = ("valkey+cluster", "valkeys+cluster", "redis+cluster", "rediss+cluster")
PORT_DEFAULT = 6379
_NODES = count()


class ClusterClient(Client):
    """A client of a cluster that does what the product asks of the client of one server."""

    __slots__ = ("_of_listeners",)

    def __init__(self, nodes: list[tuple[str, int]], **options: Any) -> None:  # noqa: ANN401 (those of the client)
        """Name servers to begin with; the others are found through them when the client is first used."""
        super().__init__(startup_nodes=[ClusterNode(host, port) for host, port in nodes], **options)
        names = ("username", "password", "socket_connect_timeout", "socket_timeout", "health_check_interval")
        self._of_listeners: dict[str, Any] = {
            "connection_class": SSLConnection if options.get("ssl") else Connection,
            **{name: options[name] for name in names if options.get(name) is not None},
        }

    def pubsub(self, **options: Any) -> PubSub:  # noqa: ANN401 (those of the client)
        """Listen at one of the servers, another one each time: the one before may have died."""
        nodes = self.get_nodes() or list(self.nodes_manager.startup_nodes.values())
        node = nodes[next(_NODES) % len(nodes)]
        return PubSub(ConnectionPool(host=node.host, port=node.port, **self._of_listeners), **options)

    def pipeline(self, transaction: object = None, shard_hint: object = None) -> "_Pipeline":  # noqa: ARG002 (the client's)
        """Collect calls: those for one server travel together, and those for several at the same time."""
        return _Pipeline(self)  # pyright: ignore[reportAbstractUsage] (a protocol of the client's declares what it has)


class _Pipeline(ClusterPipeline):
    def publish(self, channel: str, message: int | str) -> ClusterPipeline:
        """Announce over whichever server comes: each of them tells all others."""
        return self.execute_command("PUBLISH", channel, message, target_nodes=Client.RANDOM)


def open_cluster(url: str, **options: Any) -> ClusterClient:  # noqa: ANN401 (those of the client)
    """Make a client of ``valkey+cluster://user:password@one:7000,two:7000``; ``valkeys+cluster`` with TLS.

    Raises ``ValueError`` for a URL that is none.
    """
    parts, authority = split_servers(url)
    secrets, _, places = authority.rpartition("@")
    if parts.path.strip("/") not in {"", "0"}:
        raise ValueError("a cluster of Valkey has one database, number 0")
    user, _, password = secrets.partition(":")
    options |= {"username": unquote(user) or None, "password": unquote(password) or None}
    if parts.scheme in {"valkeys+cluster", "rediss+cluster"}:
        options["ssl"] = True
    return ClusterClient([_node(place) for place in places.split(",")], **options)


def _node(place: str) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError("a cluster of Valkey needs the addresses of servers: valkey+cluster://one:6379,two:6379")
    return parts.hostname, parts.port or PORT_DEFAULT
