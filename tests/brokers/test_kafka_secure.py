"""Kafka that asks who one is and speaks TLS with a certificate of the house's own authority."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.kafka_server import KafkaServer
from harness.messages import message
from harness.receivers import make_authority

from fullhouse.infra.brokers.kafka import KafkaBroker
from fullhouse.infra.brokers.port import BrokerUnavailable
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.system import make_id

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

QUEUE = "secured"
HAPPENED = {"thing.happened"}


PASSWORD = "p@ss/word"


@pytest.fixture(scope="module")
def secured(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Give the server a listener with SASL and TLS beside its plain one."""
    trusted, chain = make_authority(tmp_path_factory.mktemp("authority"))
    with kafka.prepared_listener() as listener:
        kafka.add_scram_user("fullhouse", PASSWORD)
        module = "org.apache.kafka.common.security"
        listener.open(
            f"127.0.0.1:{listener.port}",
            "SASL_SSL",
            f"""
listener.name.other.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.other.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_fullhouse="{PASSWORD}";
listener.name.other.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.other.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.other.ssl.keystore.type=PEM
listener.name.other.ssl.keystore.location={chain}
""",
        )
        yield f"127.0.0.1:{listener.port}", trusted


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_messages_go_through_sasl_and_tls_and_through_nothing_less(
    secured: tuple[str, Path], pool: Any, mechanism: str
) -> None:
    address, authority = secured
    options = f"partitions=3&prefix=secure{mechanism}&sasl={mechanism}&cafile={authority}"
    url = f"kafkas://fullhouse:p%40ss%2Fword@{address}?{options}"
    broker = KafkaBroker(url, pool, make_id)
    try:
        await broker.declare({QUEUE: HAPPENED})
        sent = [message(number=number) for number in range(20)]
        await broker.publish(sent)
        got: set[Any] = set()
        while len(got) < len(sent):
            deliveries = await broker.receive(QUEUE, count_max=20, lease_seconds=20)
            got |= {delivery.message_id for delivery in deliveries}
            await broker.acknowledge(deliveries)
        assert got == {one.message_id for one in sent}
        assert [depth.count for depth in await broker.depth()] == [0]
    finally:
        await broker.close()

    wrong = [
        url.replace("p%40ss", "guess"),
        url.replace(f"&cafile={authority}", ""),
        url.replace("kafkas://", "kafka://").replace(f"&cafile={authority}", ""),
    ]
    for refused in wrong:
        other = KafkaBroker(refused, pool, make_id)
        try:
            await other.declare({QUEUE: HAPPENED})
            with pytest.raises((BrokerUnavailable, OperatorError)):
                await other.publish([message()])
        finally:
            await other.close()
