"""How long the first call of each Lambda function takes, from the start of its process to its answer.

The functions run under awslambdaric against a runtime API on loopback, with an embedded Postgres and ministack. With
``--package build/lambda/package`` they run from what ``deploy/aws/build`` made, else from this checkout.

    python benchmarks/lambda_cold_start.py [--runs 5] [--package FOLDER]
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from harness.aws import CREDENTIALS, endpoint_of, running_ministack
from harness.lambda_runtime import running_function
from harness.servers import Databases, running_servers

from fullhouse.infra.migrate import migrate

LIMIT_SECONDS = 1.5
SCAN: dict[str, Any] = {
    "rawPath": "/api/v1/tickets/validate",
    "headers": {"content-type": "application/json", "authorization": "Bearer fh_0_unknown"},
    "requestContext": {"http": {"method": "POST"}},
    "body": '{"code": "x"}',
}
CALLS: dict[str, Any] = {"payment_processor": {"Records": []}, "clean_up": {}, "ticket_validator": SCAN}


def measure(name: str, settings: dict[str, str], folder: Path, runs: int) -> list[tuple[float, float]]:
    """Return the seconds of the first call and of the second, for each run."""
    found: list[tuple[float, float]] = []
    for _ in range(runs):
        started = time.perf_counter()
        with running_function(f"fullhouse.aws.{name}.handler", settings, folder) as function:
            function.call(CALLS[name])
            first = time.perf_counter()
            function.call(CALLS[name])
            found.append((first - started, time.perf_counter() - first))
    return found


async def migrated(admin_url: str) -> tuple[Databases, str]:
    """Make a database with the schema."""
    databases = Databases(admin_url, f"fullhouse_cold_{os.getpid()}")
    url = await databases.create("start", empty=True)
    await migrate(url)
    return databases, url


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--package", type=Path)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        running_servers(ROOT / ".data" / f"test-{os.getpid()}-0", 0) as servers,
        running_ministack() as broker_url,
    ):
        databases, database_url = asyncio.run(migrated(servers.admin_url))
        settings = {
            **CREDENTIALS,
            "PYTHONPATH": str(options.package.resolve() if options.package else ROOT / "src"),
            "FULLHOUSE_DATABASE_URL": database_url,
            "FULLHOUSE_SECRET_KEY": "k" * 32,
            "FULLHOUSE_BROKER_URL": broker_url,
            "FULLHOUSE_MAIL_URL": f"ses://us-east-1?endpoint={endpoint_of(broker_url)}",
            "FULLHOUSE_PUBLIC_URL": "https://tickets.example",
        }
        print(f"{'function':20}{'first call':>14}{'slowest':>10}{'next call':>12}   (seconds, {options.runs} runs)")
        slowest = 0.0
        for function in CALLS:
            found = measure(function, settings, Path(name), options.runs)
            first, second = [a for a, _ in found], [b for _, b in found]
            slowest = max(slowest, statistics.median(first))
            print(f"{function:20}{statistics.median(first):14.3f}{max(first):10.3f}{statistics.median(second):12.3f}")
        asyncio.run(databases.drop_all())
    print(f"slowest median {slowest:.3f} s, limit {LIMIT_SECONDS} s")
    sys.exit(slowest > LIMIT_SECONDS)


if __name__ == "__main__":
    main()
