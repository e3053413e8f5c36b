"""Writing a CSV file as it is sent: however many rows there are, a few hundred are in memory."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from fullhouse.infra.postgres import Pool, Record
from fullhouse.infra.row_stream import stream_rows
from fullhouse.reports.csv_cells import Cell, Number, csv_line, decimal_text
from fullhouse.reports.exports import EXPORTS, PERSONAL, Export
from fullhouse.reports.rules import ExportKind, ExportsBusy, Scope

AT_ONCE_MAX = 2
"""How many exports one process runs at once: each takes a connection of the pool for as long as it is read."""

_MINOR = "_minor"


class Exporter:
    """The exports of one process."""

    def __init__(self, pool: Pool, at_once_max: int = AT_ONCE_MAX) -> None:
        """Take the pool that rows are read from."""
        self._pool = pool
        self._free = at_once_max

    async def export_csv(self, kind: ExportKind, scope: Scope, *, with_contacts: bool) -> AsyncGenerator[bytes]:
        """Yield the bytes of a file: its heading, then its rows. A place is taken until the generator is closed.

        ``with_contacts`` says whether who bought is named. Raises ``ExportsBusy``, before the heading.
        """
        if not self._free:
            raise ExportsBusy(retry_after_seconds=5)
        self._free -= 1
        export = EXPORTS[kind]
        try:
            yield csv_line(_heading(export)).encode()
            rows = stream_rows(
                self._pool,
                scope.organization_id,
                export.query,
                scope.organization_id,
                scope.event_id,
                scope.session_id,
                scope.since,
                scope.until,
            )
            async with aclosing(rows):
                async for batch in rows:
                    lines = (csv_line(_cells(export, row, with_contacts=with_contacts)) for row in batch)
                    yield "".join(lines).encode()
        finally:
            self._free += 1


def _heading(export: Export) -> Iterator[str]:
    for column in export.columns:
        yield column
        if column.endswith(_MINOR):
            yield column.removesuffix(_MINOR)


def _cells(export: Export, row: Record, *, with_contacts: bool) -> Iterator[Cell]:
    currency: str = row["currency"]
    for column in export.columns:
        value = row[column]
        yield None if column in PERSONAL and not with_contacts else value
        if column.endswith(_MINOR):
            yield Number(decimal_text(value, currency))
