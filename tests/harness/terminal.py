"""The program in a thread of this process: it is the same, and starts at once.

That a process of its own starts and says the same is shown in ``tests/cli/test_program.py``; what serves until a
signal ends it always needs one.
"""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from fullhouse.cli.main import main
from harness.processes import clean_environment


def run_here(folder: Path, arguments: tuple[str, ...], settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, with these settings alone, and return what a process would have left."""
    output, errors = StringIO(), StringIO()
    environment = patch.dict(os.environ, clean_environment(**settings), clear=True)
    with environment, chdir(folder), redirect_stdout(output), redirect_stderr(errors), ThreadPoolExecutor(1) as one:
        code = one.submit(_code_of, arguments).result()
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def _code_of(arguments: tuple[str, ...]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
