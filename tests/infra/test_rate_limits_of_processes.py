"""Four processes of the system lease from one budget in Valkey, and together keep to it."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from harness.processes import clean_environment

PROCESSES = 4
QUOTA = 2_000


def test_four_processes_together_keep_to_a_budget_within_a_tenth(valkey_url: str) -> None:
    """Each asks for all of it at once, so that nearly all is leased and most of what they ask for is refused."""
    folder = Path(__file__).parents[1]
    arguments = [valkey_url, str(QUOTA), f"subject {uuid4()}", str(QUOTA), str(PROCESSES)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "harness.limiter_process", *arguments],
            cwd=folder,
            env=clean_environment(PYTHONPATH=f"{folder}:{folder.parent / 'src'}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        allowed = [int(process.communicate(timeout=60)[0]) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert all(count > 0 for count in allowed), "each got a share"
    assert 0.9 * QUOTA <= sum(allowed) <= 1.1 * QUOTA
