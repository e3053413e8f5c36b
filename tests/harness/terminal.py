"""The program in a thread of this process: it is the same, and starts at once.

That a process of its own starts and says the same is shown in ``tests/cli/test_program.py``; what serves until a
signal ends it always needs one.
"""

import asyncio
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


class Operator:
    """Somebody at a terminal who uses one command, with what it needs: the database, unless more is given."""

    def __init__(self, command: str, database_url: str, folder: Path, **more: str) -> None:
        self.command = command
        self.folder = folder
        self.settings = {
            "FULLHOUSE_DATABASE_URL": database_url,
            "FULLHOUSE_VALKEY_URL": "valkey://127.0.0.1:1/0",
            "FULLHOUSE_SECRET_KEY": "k" * 32,
            **more,
        }

    async def run(self, *arguments: str, code: int = 0) -> str:
        """Run the command; return what it said, or, where it is to end with another code, what was wrong."""
        done = await asyncio.to_thread(run_here, self.folder, (self.command, *arguments), self.settings)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr


def _code_of(arguments: tuple[str, ...]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
