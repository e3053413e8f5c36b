"""The brokers that need a server: where the tests find one, and what they say when there is none.

``make services`` starts them on loopback and writes their URLs into ``.data/services/``; a variable names another.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from yarl import URL

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".data" / "services"


@dataclass(frozen=True)
class Service:
    """A server that a broker needs."""

    name: str
    variable: str

    def url(self) -> str | None:
        """Return where it is: by its variable, or as ``make services`` started it."""
        given = os.environ.get(self.variable)
        written = FOLDER / f"{self.name}.url"
        if given is None and written.is_file():
            given = written.read_text(encoding="utf-8").strip()
        return given or None

    def needed_url(self) -> str:
        """Return where it is. Without it the test is skipped, by name; in CI it fails."""
        url = self.url()
        if url is None:
            missing = f"no {self.name} server: run 'make services', or set {self.variable}"
            if os.environ.get("CI") == "true":
                pytest.fail(missing)
            pytest.skip(missing)
        return url


RABBITMQ = Service("rabbitmq", "FULLHOUSE_TEST_RABBITMQ_URL")
KAFKA = Service("kafka", "FULLHOUSE_TEST_KAFKA_URL")
SQS = Service("sqs", "FULLHOUSE_TEST_SQS_URL")

SERVICES = {service.name: service for service in (RABBITMQ, KAFKA, SQS)}


def with_prefix(url: str, prefix: str) -> str:
    """Return the URL of a broker whose names on the server begin with the prefix."""
    return str(URL(url).update_query(prefix=prefix))
