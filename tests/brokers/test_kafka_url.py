"""The setting that names Kafka: what it may say, and one clear line for what it may not."""

from pathlib import Path

import pytest

from fullhouse.infra.brokers.kafka_url import read_kafka_url
from fullhouse.infra.errors import OperatorError


def test_plain_address_takes_the_defaults() -> None:
    place = read_kafka_url("kafka://localhost:9092")
    assert (place.servers, place.prefix, place.partitions, place.replication) == (
        ("localhost:9092",),
        "fullhouse",
        12,
        None,
    )
    assert (place.facts_topic, place.topic_of("tickets.issue")) == (None, "fullhouse.tickets.issue")
    assert place.client_options() == {"bootstrap_servers": ["localhost:9092"], "security_protocol": "PLAINTEXT"}


def test_every_option_is_read() -> None:
    place = read_kafka_url(
        "kafkas://fred:p%40ss%3Aword@k1.example:9092,[::1]:9093"
        "?prefix=house&partitions=24&replication=3&facts=house.facts&sasl=SCRAM-SHA-512"
    )
    assert place.servers == ("k1.example:9092", "[::1]:9093")
    assert (place.prefix, place.partitions, place.replication, place.facts_topic) == ("house", 24, 3, "house.facts")
    options = place.client_options()
    assert options.pop("ssl_context").check_hostname
    assert options == {
        "bootstrap_servers": ["k1.example:9092", "[::1]:9093"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "fred",
        "sasl_plain_password": "p@ss:word",
    }
    assert "p@ss" not in repr(place)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("kafka://", "is not host:port"),
        ("kafka://localhost", "localhost is not host:port"),
        ("kafka://localhost:0", "is not host:port"),
        ("kafka://localhost:70000", "is not host:port"),
        ("kafka://one:1,,two:2", "is not host:port"),
        ("kafka://one:1/topic", "write kafka://"),
        ("kafka://one:1?color=red", "no option of Kafka is called color"),
        ("kafka://one:1?partitions=1&partitions=2", "stands there twice"),
        ("kafka://one:1?partitions=0", "partitions is a number from 1 to 1000"),
        ("kafka://one:1?replication=x", "replication is a number from 1 to 9"),
        ("kafka://one:1?prefix=a/b", "prefix has letters"),
        ("kafka://one:1?sasl=GSSAPI", "sasl is one of"),
        ("kafka://one:1?sasl=PLAIN", "signing in takes"),
        ("kafka://fred@one:1", "signing in takes"),
        ("kafka://one:1?cafile=x", "cafile needs kafkas://"),
        ("kafkas://one:1?keyfile=x", "keyfile needs certfile"),
        ("kafkas://one:1?cafile=/no/such/file", "certificates cannot be read"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(url: str, what: str) -> None:
    with pytest.raises(OperatorError, match=what) as refused:
        read_kafka_url(url)
    assert str(refused.value).startswith("FULLHOUSE_BROKER_URL: ")


def test_password_is_never_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        read_kafka_url(f"kafkas://fred:canary@one:1?cafile={tmp_path}/none")
    assert "canary" not in str(refused.value)
