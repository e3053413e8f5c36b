"""Folders for embedded servers of a test's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / ".data"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Make a folder in the checkout; where its path is too long for a socket, in the system's folder instead."""
    DATA.mkdir(exist_ok=True)
    long = len(bytes(DATA)) > 60
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=None if long else DATA))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
