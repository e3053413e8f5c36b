"""``fullhouse seat-map``: generate a map to start from, and check a file before it is published."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click

from fullhouse.core.json import Json
from fullhouse.infra.errors import OperatorError
from fullhouse.operations.generate_seat_map import RoomKind, generate_document
from fullhouse.seating.formats.fullhouse import write_fullhouse_format
from fullhouse.seating.import_seat_map import import_seat_map
from fullhouse.seating.rules import DOCUMENT_BYTES_MAX, SeatMap, SeatMapInvalid

INVALID = 2
_LABELS_SHOWN_MAX = 5

_output = click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to a file."
)


@click.group("seat-map", context_settings={"help_option_names": ["-h", "--help"]})
def seat_map() -> None:
    """Make seat maps and check them.

    The form of the file is described in docs/reference/seat-map-format.md; seating plans of pretix are read too.
    """


@seat_map.command()
@click.argument("room", type=click.Choice(["theatre", "arena", "club"]))
@_output
def generate(room: str, output: Path | None) -> None:
    """Write a seat map to start from, to standard output or to a file.

    theatre: 1,200 seats in curved rows, with a balcony. arena: 20,000 seats and standing room. club: standing room, a
    platform and tables.
    """
    _write(generate_document(cast("RoomKind", room)), output)


@seat_map.command()
@click.argument("file", type=click.Path(path_type=Path))
@_output
@click.pass_context
def check(context: click.Context, file: Path, output: Path | None) -> None:
    """Read a seat map and say what is in it, or what is wrong and where.

    With --output the map is also written in Fullhouse's own form: the way to add accessible seats, areas with room or
    best places to a seating plan of pretix.
    """
    try:
        read = import_seat_map(_read(file))
    except SeatMapInvalid as invalid:
        _show_problems(file, invalid)
        context.exit(INVALID)
    _show_contents(read)
    if output is not None:
        _write(write_fullhouse_format(read), output)


def _read(file: Path) -> bytes:
    """Read a file whole, but not one that no map could be."""
    try:
        if file.stat().st_size > DOCUMENT_BYTES_MAX:
            raise OperatorError(f"{file} is larger than any seat map may be ({DOCUMENT_BYTES_MAX:,} bytes)")
        return file.read_bytes()
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error.strerror or error}") from error


def _write(document: Mapping[str, Json], output: Path | None) -> None:
    """Write a document to a file, or to standard output."""
    text = json.dumps(document, ensure_ascii=False, indent=1)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{output} cannot be written: {error.strerror or error}") from error
    click.echo(f"Wrote {output}.", err=True)


def _show_problems(file: Path, invalid: SeatMapInvalid) -> None:
    """Name every place that is wrong, one in a line."""
    errors = cast("list[dict[str, str]]", invalid.fields["errors"])
    for error in errors:
        click.echo(f"{error['field']}: {error['message']}", err=True)
    count = cast("int", invalid.fields["error_count"])
    if count > len(errors):
        click.echo(f"… and {count - len(errors):,} more", err=True)
    click.echo(
        f"fullhouse: {file} is not a valid seat map ({count:,} {'problem' if count == 1 else 'problems'})", err=True
    )


def _show_contents(read: SeatMap) -> None:
    """Say how many places there are, by section, area and price category."""
    click.echo(f"{read.name}: {read.seat_count:,} seats, {read.place_count:,} places in all")
    for section in read.sections:
        seats = [seat for row in section.rows for seat in row.seats]
        accessible = sum(seat.accessible for seat in seats)
        kept = f", {accessible:,} accessible" if accessible else ""
        rows = "1 row" if len(section.rows) == 1 else f"{len(section.rows):,} rows"
        click.echo(f"  section {section.key}: {len(seats):,} seats in {rows}{kept}")
    for area in read.areas:
        click.echo(f"  area {area.key}: room for {area.capacity:,}")
    for category, count in read.places_by_category.items():
        click.echo(f"  price category {category}: {count:,} places")
    if read.ambiguous_labels:
        shown = "; ".join(read.ambiguous_labels[:_LABELS_SHOWN_MAX])
        click.echo(
            f"  {len(read.ambiguous_labels):,} labels name several seats, which can be chosen by key only: {shown}"
        )
