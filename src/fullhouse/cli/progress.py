"""What long work shows on the terminal: a bar that leaves nothing behind, or nothing where there is no terminal."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_console = Console(stderr=True)


@contextmanager
def progress_bars() -> Generator[Progress]:
    """Show bars on standard error while the block runs; add one with ``add_task(text, total=n)``."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_console, transient=True, disable=not _console.is_terminal) as bars:
        yield bars


@contextmanager
def waiting(text: str) -> Generator[None]:
    """Show that something of unknown length goes on."""
    with progress_bars() as bars:
        bars.add_task(text, total=None)
        yield
