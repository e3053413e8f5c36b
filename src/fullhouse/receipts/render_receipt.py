"""Setting a receipt as PDF, with the compiler and fonts of tickets. The same receipt gives the same bytes.

It takes milliseconds of processor time, so it belongs in a thread (``asyncio.to_thread``), and nothing is stored: who
bought stands on it as long as that is known, and no longer.
"""

from dataclasses import asdict
from functools import cache
from importlib.resources import files

from fullhouse.receipts.rules import Printed
from fullhouse.tickets.render_ticket import typeset


def render_receipt(printed: Printed) -> bytes:
    """Set a receipt or credit note."""
    language, _, region = printed.language.partition("-")
    data = asdict(printed) | {"language": language, "region": region.lower() or None}
    del data["issued_at"]
    return typeset(_template(), "receipt", data, printed.issued_at)


@cache
def _template() -> bytes:
    return files("fullhouse.receipts").joinpath("receipt.typ").read_bytes()
