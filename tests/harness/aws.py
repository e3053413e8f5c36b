"""AWS without AWS: ministack on loopback, as ``deploy/services/sqs`` starts it, and clients to look into it."""

import os
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fullhouse.infra.aws_client import AwsPlace, open_client
from harness.sources import ROOT

GIVEN_URL = "FULLHOUSE_TEST_SQS_URL"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def running_ministack() -> Generator[str]:
    """Run ministack, and return the broker's URL; or use the one that FULLHOUSE_TEST_SQS_URL names."""
    if given := os.environ.get(GIVEN_URL):
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
