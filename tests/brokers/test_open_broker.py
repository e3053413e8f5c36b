"""The broker is chosen by its URL; what makes no sense is one clear line."""

import builtins
from typing import Any

import pytest

from fullhouse.infra.brokers import SCHEMES, open_broker
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.system import make_id
from fullhouse.settings import SettingsError, read_settings

WRONG = {
    "nats://localhost": "the broker 'nats' is not known; write 'postgres', amqp(s)://…, kafka(s)://… or sqs://…",
    "amqp://": "write amqp://user:password@host:port/vhost?prefix=fullhouse",
    "amqp://localhost/?prefix=a/b": "a prefix has letters, digits",
    "amqp://localhost:port/": "port",
}


@pytest.mark.parametrize("url", WRONG)
def test_url_that_makes_no_sense_is_one_clear_line(pool: Any, database_url: str, url: str) -> None:
    with pytest.raises(OperatorError) as refused:
        open_broker(url, pool=pool, database_url=database_url, make_id=make_id)
    text = str(refused.value)
    assert text.startswith("FULLHOUSE_BROKER_URL: ")
    assert WRONG[url] in text
    assert "\n" not in text


def test_missing_package_names_the_extra(pool: Any, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_aio_pika(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("aio_pika"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_aio_pika)
    for module in ("rabbitmq", "rabbitmq_link"):
        monkeypatch.delitem(__import__("sys").modules, f"fullhouse.infra.brokers.{module}", raising=False)

    with pytest.raises(OperatorError, match=r"pip install 'fullhouse\[rabbitmq\]' \(aio_pika is missing\)"):
        open_broker("amqp://localhost/", pool=pool, database_url=database_url, make_id=make_id)


def test_every_scheme_is_a_setting_and_an_address_for_postgres_is_not() -> None:
    for scheme in SCHEMES:
        url = scheme if scheme == "postgres" else f"{scheme}://somewhere/"
        assert read_settings({"FULLHOUSE_BROKER_URL": url}).broker_url == url
    with pytest.raises(SettingsError, match="FULLHOUSE_BROKER_URL: 'postgres' means the database"):
        read_settings({"FULLHOUSE_BROKER_URL": "postgres://elsewhere/"})
    with pytest.raises(SettingsError, match="FULLHOUSE_BROKER_URL: must start with"):
        read_settings({"FULLHOUSE_BROKER_URL": "nats://x"})
