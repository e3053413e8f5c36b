"""How long the first call of each Lambda function takes, from the start of its process to its answer.

The functions run under awslambdaric against a runtime API on loopback, with an embedded Postgres and ministack. With
``--package build/lambda/package`` they run from what ``deploy/aws/build`` made and nothing else, else from this
checkout. The functions take turns, and beside them in each round Python starts bare, and with the large libraries of
the functions alone: the ratio to those says how much of a cold start is ours, however busy the machine is.

    python benchmarks/lambda_cold_start.py [--runs 5] [--package FOLDER]
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import files
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

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
BARE = {
    "python alone": "pass",
    "libraries alone": "import asyncpg, cryptography.x509, fastapi, obstore.store, pydantic",
}
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""What AWS puts beside a package."""


class First(NamedTuple):
    """One start: seconds until the answer, seconds of processor for it, seconds of the call after it."""

    wall: float
    cpu: float
    after: float


def start_function(name: str, settings: dict[str, str], folder: Path, python: Sequence[str]) -> First:
    """Start a function and call it twice."""
    started = time.perf_counter()
    with running_function(f"fullhouse.aws.{name}.handler", settings, folder, python) as function:
        function.call(CALLS[name])
        first, cpu = time.perf_counter(), cpu_seconds_of(function.process.pid)
        function.call(CALLS[name])
        return First(first - started, cpu, time.perf_counter() - first)


def start_bare(code: str, settings: dict[str, str], python: Sequence[str]) -> First:
    """Run a line of Python to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*python, "-c", code], env={"PYTHONPATH": settings["PYTHONPATH"]}, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return First(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 0.0)


def cpu_seconds_of(pid: int) -> float:
    """Return how long processors have worked for a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def beside_the_package(folder: Path) -> Path:
    """Link AWS's runtime client into a folder of its own."""
    folder.mkdir()
    for package in RUNTIME:
        for file in files(package) or ():
            top, installed = file.parts[0], Path(str(file.locate())).parents[len(file.parts) - 1]
            if top != ".." and not (folder / top).is_symlink():
                (folder / top).symlink_to(installed / top)
    return folder


async def migrated(admin_url: str) -> tuple[Databases, str]:
    """Make a database with the schema."""
    databases = Databases(admin_url, f"fullhouse_cold_{os.getpid()}")
    url = await databases.create("start", empty=True)
    await migrate(url)
    return databases, url


def report(found: dict[str, list[First]]) -> float:
    """Print what was found, and return the slowest median of a function."""
    bare = {name: median(one.wall for one in found[name]) for name in BARE}
    bare_cpu = median(one.cpu for one in found["libraries alone"])
    print(f"{'':20}{'first call':>11}{'slowest':>9}{'CPU':>7}{'/libraries':>12}{'CPU/libraries':>15}{'next call':>11}")
    for name, firsts in found.items():
        wall, cpu = median(one.wall for one in firsts), median(one.cpu for one in firsts)
        ratio, cpu_ratio = wall / bare["libraries alone"], cpu / bare_cpu
        slowest, after = max(one.wall for one in firsts), median(one.after for one in firsts)
        print(f"{name:20}{wall:11.3f}{slowest:9.3f}{cpu:7.2f}{ratio:12.2f}{cpu_ratio:15.2f}{after:11.3f}")
    return max(median(one.wall for one in found[name]) for name in CALLS)


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
        path, python = str(ROOT / "src"), [sys.executable]
        if options.package:
            # Without the packages that are installed here: Lambda has none but the package and its runtime client.
            path = f"{options.package.resolve()}:{beside_the_package(Path(name) / 'runtime')}"
            python = [sys.executable, "-S"]
        settings = {
            **CREDENTIALS,
            "PYTHONPATH": path,
            "FULLHOUSE_DATABASE_URL": database_url,
            "FULLHOUSE_SECRET_KEY": "k" * 32,
            "FULLHOUSE_BROKER_URL": broker_url,
            "FULLHOUSE_MAIL_URL": f"ses://us-east-1?endpoint={endpoint_of(broker_url)}",
            "FULLHOUSE_PUBLIC_URL": "https://tickets.example",
        }
        found: dict[str, list[First]] = {name: [] for name in (*BARE, *CALLS)}
        for turn in range(options.runs + 1):
            round_of = {what: start_bare(code, settings, python) for what, code in BARE.items()}
            round_of |= {what: start_function(what, settings, Path(name), python) for what in CALLS}
            # The first round brings the files from the disk into memory, and does not count.
            for what, one in round_of.items() if turn else ():
                found[what].append(one)
        asyncio.run(databases.drop_all())
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"seconds, medians of {options.runs} rounds; {os.cpu_count()} processors, load average {load}")
    slowest = report(found)
    print(f"slowest median {slowest:.3f} s, limit {LIMIT_SECONDS} s")
    sys.exit(slowest > LIMIT_SECONDS)


if __name__ == "__main__":
    main()
