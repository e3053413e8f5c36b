"""Brokers: how messages travel from the outbox to consumers. One port, a file for each broker, chosen by URL."""

from fullhouse.core.ids import MakeId
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Pool

POSTGRES = "postgres"


def open_broker(broker_url: str, *, pool: Pool, database_url: str, make_id: MakeId) -> Broker:
    """Return the broker that the setting names. Raises ``OperatorError`` for one that is not known.

    ``postgres`` is the product's own database, through ``pool``; one more connection listens.
    """
    if broker_url == POSTGRES:
        from fullhouse.infra.brokers.postgres import PostgresBroker  # noqa: PLC0415 (each broker loads only its needs)

        return PostgresBroker(pool, database_url, make_id)
    scheme = broker_url.partition(":")[0]
    raise OperatorError(f"FULLHOUSE_BROKER_URL: the broker {scheme!r} is not known; write {POSTGRES!r}")
