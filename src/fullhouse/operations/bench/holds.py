"""Requests for holds as bytes, made at the cost of joining two pieces and a key."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fullhouse.operations.bench.load import MakeRequest
from fullhouse.operations.bench.stock import OnSale
from fullhouse.operations.bench.wire import request

PATH = "/api/v1/reservations"
_KEY_MARK = "K" * 24


def hold_body(on_sale: OnSale, item: dict[str, Any]) -> bytes:
    """Write the body of a hold of one item."""
    wish = {"ticket_type_id": str(on_sale.ticket_type_id), **item}
    return json.dumps({"session_id": str(on_sale.session_id), "items": [wish]}, separators=(",", ":")).encode()


def same_hold(body: bytes, run: str, headers: Sequence[tuple[str, str]] = ()) -> MakeRequest:
    """Ask for the same each time, each with a key of its own. ``run`` keeps keys of different loads apart."""
    template = request("POST", PATH, (("idempotency-key", _KEY_MARK), *headers), body)
    before, _, after = template.partition(_KEY_MARK.encode())
    prefix = before + run.encode() + b"-"
    return lambda number: b"%b%d%b" % (prefix, number, after)


def each_hold(item_of: Callable[[int], bytes], run: str) -> MakeRequest:
    """Ask for something else each time; ``item_of`` writes the body by the number of the request."""
    return lambda number: request("POST", PATH, (("idempotency-key", f"{run}-{number}"),), item_of(number))
