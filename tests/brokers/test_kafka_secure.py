"""Kafka that asks who one is and speaks TLS with a certificate of the house's own authority."""

from collections.abc import AsyncIterator
from pathlib import Path
from socket import socket
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


def free_port() -> int:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
async def secured(kafka: KafkaServer, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """Give the server a listener with SASL and TLS beside its plain one."""
    trusted, chain = make_authority(tmp_path)
    port = free_port()
    properties = kafka.folder / "server.properties"
    plain = properties.read_text(encoding="utf-8")
    controller = next(line for line in plain.splitlines() if line.startswith("listeners=")).rpartition(",")[2]
    kafka.stop()
    # Of a property that stands there twice, the last counts.
    properties.write_text(
        plain
        + f"""
listeners=PLAINTEXT://{kafka.address},SECURE://127.0.0.1:{port},{controller}
advertised.listeners=SECURE://127.0.0.1:{port},PLAINTEXT://{kafka.address}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_fullhouse="p@ss/word";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={chain}
""",
        encoding="utf-8",
    )
    kafka.start()
    yield f"127.0.0.1:{port}", trusted
    kafka.stop()
    properties.write_text(plain, encoding="utf-8")
    kafka.start()


async def test_messages_go_through_sasl_and_tls_and_through_nothing_less(secured: tuple[str, Path], pool: Any) -> None:
    address, authority = secured
    url = f"kafkas://fullhouse:p%40ss%2Fword@{address}?partitions=3&prefix=secure&cafile={authority}"
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
