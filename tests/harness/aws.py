"""AWS without AWS: ministack on loopback, as ``deploy/services/sqs`` starts it, and clients to look into it."""

import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from fullhouse.infra.aws_client import AwsPlace, open_client
from harness.services import SQS
from harness.sources import ROOT

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def running_ministack() -> Generator[str]:
    """Give the broker's URL of the ministack that runs for the tests; else run one until the block ends."""
    if given := SQS.url():
        yield given
        return
    with subprocess.Popen(
        [ROOT / "deploy/services/sqs"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as service:
        try:
            assert service.stdout is not None
            url = service.stdout.readline().strip()
            assert url, "ministack did not start"
            yield url
        finally:
            service.terminate()


def endpoint_of(broker_url: str) -> str:
    return dict(parse_qsl(urlsplit(broker_url).query))["endpoint"]


@asynccontextmanager
async def client_of(broker_url: str, service: str) -> AsyncGenerator[Any]:
    """Open a client of a service of the ministack that a broker's URL names."""
    async with AsyncExitStack() as stack:
        yield await open_client(stack, service, AwsPlace("us-east-1", endpoint_of(broker_url), "test", "test"))


def mails_at(broker_url: str) -> list[dict[str, Any]]:
    """Return the mails that SES has taken."""
    answer = httpx.get(f"{endpoint_of(broker_url)}/_ministack/ses/messages", timeout=10)
    of_account: dict[str, list[dict[str, Any]]] = answer.raise_for_status().json()["messages"]
    return [mail for mails in of_account.values() for mail in mails]
