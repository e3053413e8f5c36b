"""A process that only renders has what the others leave of the processors."""

import os
import subprocess
import sys

import pytest

_GIVE_WAY_AND_TELL = """
import os
from fullhouse.cli.processes import give_way
give_way()
print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no idle processes")
def test_who_gives_way_is_idle_to_the_system() -> None:
    told = subprocess.run([sys.executable, "-c", _GIVE_WAY_AND_TELL], capture_output=True, text=True, check=True)
    policy, niceness = map(int, told.stdout.split())
    assert policy == os.SCHED_IDLE
    assert niceness == 19
