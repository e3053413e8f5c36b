"""Reading ``FULLHOUSE_BROKER_URL`` where it names Kafka, and what each client is opened with.

``kafka://[user:password@]host:port[,host:port]?prefix=…&partitions=…&replication=…&facts=…&sasl=…``, or ``kafkas://…``
with TLS, which takes ``cafile``, ``certfile`` and ``keyfile`` too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext, SSLError, create_default_context
from typing import Any
from urllib.parse import parse_qsl, unquote

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.places import split_servers

PARTITIONS_DEFAULT = 12
PARTITIONS_MAX = 1_000
REPLICATION_MAX = 9
PREFIX_DEFAULT = "fullhouse"

_OPTIONS = frozenset({"prefix", "partitions", "replication", "facts", "sasl", "cafile", "certfile", "keyfile"})
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:,@\s]+):(\d{1,5})")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,120}")


@dataclass(frozen=True, slots=True)
class KafkaPlace:
    """Where Kafka is, how to sign in, and how topics are named and made."""

    servers: tuple[str, ...]
    """``host:port`` of nodes to begin with; the others are learned from them."""
    prefix: str = PREFIX_DEFAULT
    partitions: int = PARTITIONS_DEFAULT
    replication: int | None = None
    """Copies of each topic; None is the cluster's own default."""
    facts_topic: str | None = None
    """A topic that gets every message, for consumers of the house's own."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str | None = None
    tls: SSLContext | None = field(default=None, repr=False)

    def topic_of(self, queue: str) -> str:
        """Return the topic of a queue, which is the name of its consumer group too."""
        return f"{self.prefix}.{queue}"

    def client_options(self) -> dict[str, Any]:
        """Return the options that every client takes."""
        protocol = ("SASL_" if self.mechanism else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {"bootstrap_servers": list(self.servers), "security_protocol": protocol}
        if self.tls:
            options["ssl_context"] = self.tls
        if self.mechanism:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


def read_kafka_url(url: str) -> KafkaPlace:
    """Read the setting. Raises ``OperatorError`` that says what is wrong with it, without its password."""
    parts, authority = split_servers(url)
    credentials, _, servers = authority.rpartition("@")
    if parts.scheme not in {"kafka", "kafkas"} or parts.path.strip("/") or parts.fragment:
        raise _wrong("write kafka://host:port[,host:port]?option=…, or kafkas:// for TLS")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if unknown := sorted(options.keys() - _OPTIONS):
        raise _wrong(f"no option of Kafka is called {', '.join(unknown)}; there are {', '.join(sorted(_OPTIONS))}")
    if len(options) < len(pairs):
        raise _wrong("an option stands there twice")
    user, password = (unquote(part) or None for part in credentials.partition(":")[::2])
    return KafkaPlace(
        servers=tuple(_server(server) for server in servers.split(",")),
        prefix=_topic_name(options, "prefix") or PREFIX_DEFAULT,
        partitions=_number(options, "partitions", PARTITIONS_MAX) or PARTITIONS_DEFAULT,
        replication=_number(options, "replication", REPLICATION_MAX),
        facts_topic=_topic_name(options, "facts"),
        user=user,
        password=password,
        mechanism=_mechanism(options, user, password),
        tls=_tls(options, wanted=parts.scheme == "kafkas"),
    )


def _server(text: str) -> str:
    match = _SERVER.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise _wrong(f"{text or '(empty)'} is not host:port")
    return text


def _number(options: Mapping[str, str], name: str, most: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= most:
        raise _wrong(f"{name} is a number from 1 to {most}, not {text or '(empty)'}")
    return int(text)


def _topic_name(options: Mapping[str, str], name: str) -> str | None:
    text = options.get(name)
    if text is not None and not _TOPIC.fullmatch(text):
        raise _wrong(f"{name} has letters, digits, dots, dashes and underscores, at most 120: {text or '(empty)'}")
    return text


def _mechanism(options: Mapping[str, str], user: str | None, password: str | None) -> str | None:
    mechanism = options.get("sasl", "PLAIN" if user else None)
    if mechanism is None:
        return None
    if mechanism not in _MECHANISMS:
        raise _wrong(f"sasl is one of {', '.join(_MECHANISMS)}")
    if user is None or password is None:
        raise _wrong("signing in takes kafka://user:password@host:port")
    return mechanism


def _tls(options: Mapping[str, str], *, wanted: bool) -> SSLContext | None:
    files = {name: options[name] for name in ("cafile", "certfile", "keyfile") if name in options}
    if not wanted:
        if files:
            raise _wrong(f"{', '.join(files)} needs kafkas://")
        return None
    if "keyfile" in files and "certfile" not in files:
        raise _wrong("keyfile needs certfile")
    try:
        context = create_default_context(cafile=files.get("cafile"))
        if "certfile" in files:
            context.load_cert_chain(files["certfile"], files.get("keyfile"))
    except (OSError, SSLError) as error:
        raise _wrong(f"a file of certificates cannot be read: {error}") from error
    return context


def _wrong(what: str) -> OperatorError:
    return OperatorError(f"FULLHOUSE_BROKER_URL: {what}")
