"""Brokers: how messages travel from the outbox to consumers. One port, a file for each broker, chosen by URL.

Each file has a function ``open_broker(broker_url, *, pool, database_url, make_id)`` and a class with the functions of
the port in the same order. It connects when it is first used.
"""

from importlib import import_module
from typing import Protocol, cast

from fullhouse.core.ids import MakeId
from fullhouse.infra.brokers.port import Broker, FindUnheard
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Pool

POSTGRES = "postgres"

SCHEMES = {
    "postgres": ("postgres", None),
    "amqp": ("rabbitmq", "rabbitmq"),
    "amqps": ("rabbitmq", "rabbitmq"),
    "kafka": ("kafka", "kafka"),
    "kafkas": ("kafka", "kafka"),
    "sqs": ("sqs", "aws"),
}
"""Which file of this folder speaks to the broker of a URL, and which extra of the package it needs."""


class _OpenBroker(Protocol):
    def __call__(
        self, broker_url: str, /, *, pool: Pool, database_url: str, make_id: MakeId, **more: FindUnheard | None
    ) -> Broker: ...


def open_broker(
    broker_url: str, *, pool: Pool, database_url: str, make_id: MakeId, find_unheard: FindUnheard | None = None
) -> Broker:
    """Return the broker that the setting names; it connects when it is first used.

    ``postgres`` is the product's own database, through ``pool``; one more connection listens. It leaves out of its
    queues what ``find_unheard`` names; at the others anybody may listen, and they take everything. They keep their dead
    letters in the database. Raises ``OperatorError`` for a URL that makes no sense, or whose packages are missing.
    """
    scheme = broker_url.partition(":")[0]
    if scheme not in SCHEMES:
        raise OperatorError(
            f"FULLHOUSE_BROKER_URL: the broker {scheme!r} is not known; write {POSTGRES!r}, amqp(s)://…, kafka(s)://… "
            "or sqs://…"
        )
    name, extra = SCHEMES[scheme]
    try:
        # Loaded when it is chosen: nobody needs the packages of a broker that is not used.
        module = import_module(f"fullhouse.infra.brokers.{name}")
    except ModuleNotFoundError as missing:
        if extra is None:
            raise
        raise OperatorError(
            f"FULLHOUSE_BROKER_URL: {scheme}:// needs more packages: pip install 'fullhouse[{extra}]' "
            f"({missing.name} is missing)"
        ) from missing
    opened = cast("_OpenBroker", module.open_broker)
    more = {"find_unheard": find_unheard} if scheme == POSTGRES else {}
    return opened(broker_url, pool=pool, database_url=database_url, make_id=make_id, **more)
