"""Who may do what: one row for each operation, and what follows from it for every kind of asker.

``python -m access.matrix`` in ``tests`` writes ``docs/reference/access.md`` from it (``make access-table``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Lets = Literal["anyone", "viewers", "holder", "users", "owner", "manager", "box_office", "scanner"]
"""``viewers``: anyone, and whoever shows a credential shows a good one. A role lets in those above it as well."""

LADDER = ("scanner", "box_office", "manager", "owner")
BAD: dict[str, Any] = {"unknown": 1}
"""A body that is refused with 422, after it was decided who may ask: so nothing is changed by who may."""


@dataclass(frozen=True)
class Row:
    """Whom an operation lets in, and what they then hear of the request that the test makes."""

    lets: Lets
    ok: int
    body: Any = None
    secret: Literal["", "Order", "Reservation", "Allocation"] = ""
    """Whose holder is let in as well, or alone."""
    foreign: int = 404
    """What an owner of another organization hears."""
    other: bool = False
    """Whether it is tried on an event apart, since it would end the sale of the first."""


_ORG = "/organizations/{organization_id}"
GIFT = {
    "items": [{"ticket_type_id": "01900000-0000-7000-8000-000000000000", "quantity": 1}],
    "email": "ana.souza@example.com",
    "reason": "Press",
}
"""Of a ticket type that is not there."""
_HOOK = _ORG + "/webhook-endpoints/{endpoint_id}"

TABLE: dict[str, Row] = {
    # accounts and organizations
    "POST /auth/register": Row("anyone", 422, BAD),
    "POST /auth/login": Row("anyone", 422, BAD),
    "POST /auth/refresh": Row("anyone", 422, BAD),
    "POST /auth/logout": Row("anyone", 422, BAD),
    "POST /auth/login/second-factor": Row("anyone", 422, BAD),
    "GET /auth/me": Row("users", 200),
    "GET /auth/sign-ins": Row("users", 200),
    "DELETE /auth/sign-ins": Row("users", 204),
    "DELETE /auth/sign-ins/{sign_in_id}": Row("users", 404),
    "POST /auth/password": Row("users", 422, BAD),
    "POST /auth/password/forgotten": Row("anyone", 422, BAD),
    "POST /auth/password/reset": Row("anyone", 422, BAD),
    "POST /auth/email/verify": Row("anyone", 422, BAD),
    "POST /auth/email/link": Row("anyone", 422, BAD),
    "POST /auth/second-factor": Row("users", 422, BAD),
    "POST /auth/second-factor/confirm": Row("users", 422, BAD),
    "POST /auth/second-factor/recovery-codes": Row("users", 422, BAD),
    "POST /auth/second-factor/remove": Row("users", 422, BAD),
    "GET /auth/providers": Row("anyone", 200),
    "POST /auth/providers/{provider}": Row("anyone", 404),
    "GET /auth/providers/{provider}/callback": Row("anyone", 401),
    "POST /auth/providers/{provider}/callback": Row("anyone", 422, BAD),
    "POST /organizations": Row("users", 422, BAD),
    "GET /organizations": Row("users", 200),
    "POST /invitations/accept": Row("users", 422, BAD),
    f"POST {_ORG}/leave": Row("users", 404, other=True),
    f"GET {_ORG}": Row("box_office", 200),
    f"PATCH {_ORG}": Row("owner", 422, BAD),
    f"GET {_ORG}/members": Row("manager", 200),
    f"PATCH {_ORG}/members/{{user_id}}": Row("manager", 422, BAD),
    f"DELETE {_ORG}/members/{{user_id}}": Row("manager", 404),
    f"GET {_ORG}/invitations": Row("manager", 200),
    f"POST {_ORG}/invitations": Row("manager", 422, BAD),
    f"DELETE {_ORG}/invitations/{{invitation_id}}": Row("manager", 404),
    f"GET {_ORG}/api-keys": Row("owner", 200),
    f"POST {_ORG}/api-keys": Row("owner", 422, BAD),
    f"DELETE {_ORG}/api-keys/{{api_key_id}}": Row("owner", 404),
    f"GET {_ORG}/audit-log": Row("owner", 200),
    f"POST {_ORG}/buyers/export": Row("owner", 422, BAD),
    f"POST {_ORG}/buyers/erase": Row("owner", 422, BAD),
    f"GET {_ORG}/receipts": Row("box_office", 200),
    f"GET {_ORG}/ledger": Row("box_office", 200),
    f"GET {_ORG}/ledger/lines": Row("box_office", 200),
    f"GET {_ORG}/exports/{{kind}}": Row("box_office", 200),
    # what is on sale
    "GET /events": Row("anyone", 200),
    "GET /events/{event_id}": Row("viewers", 200),
    "GET /events/{event_id}/form": Row("viewers", 200),
    "PUT /events/{event_id}/form": Row("manager", 200, {}),
    "GET /sessions/{session_id}": Row("viewers", 200),
    "GET /sessions/{session_id}/availability": Row("viewers", 200),
    "GET /sessions/{session_id}/stream": Row("anyone", 200),
    "GET /seat-maps/{seat_map_id}": Row("anyone", 404),
    f"POST {_ORG}/seat-maps": Row("manager", 422, BAD),
    f"GET {_ORG}/events": Row("box_office", 200),
    f"POST {_ORG}/events": Row("manager", 422, BAD),
    "POST /events": Row("manager", 201, "simple event"),
    "PATCH /events/{event_id}": Row("manager", 200, {}),
    "DELETE /events/{event_id}": Row("manager", 409),
    "POST /events/{event_id}/publish": Row("manager", 200),
    "POST /events/{event_id}/cancel": Row("manager", 200, other=True),
    "POST /events/{event_id}/sessions": Row("manager", 201, "session"),
    "PATCH /sessions/{session_id}": Row("manager", 200, {}),
    "DELETE /sessions/{session_id}": Row("manager", 409),
    "POST /sessions/{session_id}/cancel": Row("manager", 200, other=True),
    "POST /sessions/{session_id}/move": Row(
        "manager", 422, {"answer_until": "2020-01-01T00:00:00Z", "default": "keep"}
    ),
    "GET /sessions/{session_id}/moves": Row("box_office", 200),
    "POST /sessions/{session_id}/refunds": Row("manager", 409, {}),
    "GET /sessions/{session_id}/refunds": Row("box_office", 200),
    "GET /sessions/{session_id}/refunds/failures": Row("box_office", 200),
    "POST /sessions/{session_id}/refunds/retry": Row("manager", 404),
    f"GET {_ORG}/charges": Row("box_office", 404),
    f"PUT {_ORG}/charges": Row("manager", 422, BAD),
    f"DELETE {_ORG}/charges": Row("manager", 404),
    "GET /events/{event_id}/charges": Row("box_office", 404),
    "PUT /events/{event_id}/charges": Row("manager", 200, {"currency": "EUR"}, other=True),
    "DELETE /events/{event_id}/charges": Row("manager", 404),
    "GET /sessions/{session_id}/charges": Row("box_office", 404),
    "PUT /sessions/{session_id}/charges": Row("manager", 200, {"currency": "EUR"}, other=True),
    "DELETE /sessions/{session_id}/charges": Row("manager", 404),
    f"GET {_ORG}/codes": Row("manager", 200),
    f"POST {_ORG}/codes": Row("manager", 422, BAD),
    f"GET {_ORG}/codes/{{code_id}}": Row("manager", 404),
    f"PUT {_ORG}/codes/{{code_id}}": Row("manager", 422, BAD),
    f"GET {_ORG}/codes/{{code_id}}/uses": Row("manager", 404),
    "POST /sessions/{session_id}/code": Row("anyone", 409, {"code": "NOTHING"}),
    "GET /sessions/{session_id}/allocations": Row("box_office", 200),
    "POST /sessions/{session_id}/allocations": Row("box_office", 201, {"name": "House", "quantities": {"standing": 1}}),
    "DELETE /sessions/{session_id}/allocations/{allocation_id}": Row("box_office", 404),
    "POST /sessions/{session_id}/allocations/{allocation_id}/reservations": Row(
        "box_office", 404, BAD, secret="Allocation"
    ),
    # the sale
    "POST /reservations": Row("anyone", 422, BAD),
    "GET /reservations/{reservation_id}": Row("holder", 200, secret="Reservation"),
    "DELETE /reservations/{reservation_id}": Row("holder", 409, secret="Reservation"),
    "POST /reservations/{reservation_id}/extend": Row("holder", 409, secret="Reservation"),
    "POST /orders": Row("anyone", 422, BAD),
    "POST /order-links": Row("anyone", 422, BAD),
    "GET /me/orders": Row("users", 200),
    "POST /sessions/{session_id}/complimentary-orders": Row("box_office", 422, GIFT),
    "GET /orders/{order_id}": Row("box_office", 200, secret="Order"),
    "GET /orders/{order_id}/ticket": Row("box_office", 200, secret="Order"),
    "GET /orders/{order_id}/tickets": Row("box_office", 200, secret="Order"),
    "GET /orders/{order_id}/tickets.pdf": Row("box_office", 404, secret="Order"),
    "GET /tickets/{ticket_id}": Row("box_office", 200, secret="Order"),
    "GET /tickets/{ticket_id}/qr.png": Row("box_office", 409, secret="Order"),
    "GET /tickets/{ticket_id}/qr.svg": Row("box_office", 409, secret="Order"),
    "GET /tickets/{ticket_id}/ticket.pdf": Row("box_office", 409, secret="Order"),
    "GET /orders/{order_id}/receipts": Row("box_office", 200, secret="Order"),
    "GET /orders/{order_id}/receipts/{receipt_id}/receipt.pdf": Row("box_office", 404, secret="Order"),
    "POST /orders/{order_id}/payments": Row("holder", 409, {"provider": "simulated"}, secret="Order"),
    "GET /orders/{order_id}/payments": Row("box_office", 200, secret="Order"),
    "POST /orders/{order_id}/cancel": Row("box_office", 409, secret="Order"),
    "PUT /orders/{order_id}/contact": Row("box_office", 200, {"email": "ana@example.org"}),
    "POST /orders/{order_id}/refunds": Row("manager", 409, {}),
    "GET /orders/{order_id}/move": Row("box_office", 404, secret="Order"),
    "POST /orders/{order_id}/move": Row("holder", 404, {"answer": "keep"}, secret="Order"),
    "POST /refunds/{refund_id}/retry": Row("manager", 409),
    "POST /payments/webhooks/{provider}": Row("anyone", 404, BAD),
    "POST /payments/webhooks/{provider}/{organization_id}": Row("anyone", 404, BAD),
    f"GET {_ORG}/payment-providers": Row("owner", 200),
    f"PUT {_ORG}/payment-providers/{{provider}}": Row("owner", 422, BAD),
    f"DELETE {_ORG}/payment-providers/{{provider}}": Row("owner", 404),
    f"GET {_ORG}/money-cases": Row("manager", 200),
    f"POST {_ORG}/money-cases/{{case_id}}/resolve": Row("manager", 422, BAD),
    "POST /tickets/validate": Row("scanner", 200, "scan", foreign=200),
    # webhooks
    f"GET {_ORG}/webhook-endpoints": Row("manager", 200),
    f"POST {_ORG}/webhook-endpoints": Row("manager", 422, BAD),
    f"GET {_HOOK}": Row("manager", 404),
    f"PATCH {_HOOK}": Row("manager", 422, BAD),
    f"DELETE {_HOOK}": Row("manager", 404),
    f"POST {_HOOK}/rotate-secret": Row("manager", 422, BAD),
    f"POST {_HOOK}/test": Row("manager", 404),
    f"POST {_HOOK}/replay": Row("manager", 422, BAD),
    f"GET {_HOOK}/deliveries": Row("manager", 404),
    f"GET {_HOOK}/deliveries/{{delivery_id}}": Row("manager", 404),
    f"POST {_HOOK}/deliveries/{{delivery_id}}/replay": Row("manager", 404),
    # the operator
    "GET /healthz": Row("anyone", 200),
    "GET /readyz": Row("anyone", 200),
    "GET /metrics": Row("anyone", 200),
    "GET /.well-known/jwks.json": Row("anyone", 200),
}

BUYERS = ("anonymous", "holder", "wrong_secret")
KEYS = ("scanner_key", "scoped_key", "key_without_scope", "foreign_key")
DEAD = ("expired_key", "revoked_key", "forged_token", "ended_token")
ASKERS = (*BUYERS, *LADDER, "foreigner", *KEYS, *DEAD)


def expected(row: Row, asker: str) -> int:
    """Return what an asker hears."""
    if row.lets == "anyone" or (row.lets == "viewers" and asker not in DEAD):
        return row.ok
    if asker in DEAD or asker == "anonymous":
        return 401
    if asker in BUYERS:
        opened = {"holder": row.ok, "wrong_secret": 404}
        return opened[asker] if row.secret else 401
    if row.lets == "holder":
        return 401
    if row.lets == "users":
        return 403 if asker in KEYS else row.ok
    return _of_member(row, asker)


def _of_member(row: Row, asker: str) -> int:
    if asker in ("foreigner", "foreign_key"):
        return row.foreign
    if asker == "scoped_key":
        return row.ok
    if asker == "key_without_scope":
        return 403
    role = asker.removesuffix("_key")
    return row.ok if LADDER.index(role) >= LADDER.index(row.lets) else 403


_WORDS = {200: "yes", 401: "401", 403: "403", 404: "404"}
_COLUMNS = (
    "anonymous",
    "holder",
    "wrong_secret",
    *LADDER,
    "foreigner",
    "scoped_key",
    "key_without_scope",
    "revoked_key",
)
_HEADS = (
    "nobody",
    "the secret",
    "a wrong secret",
    "scanner",
    "box office",
    "manager",
    "owner",
    "another organization",
    "a key with the scope",
    "a key without",
    "an ended credential",
)
_HEAD = """\
# Who may do what

Made from the table that the tests hold every operation to (`tests/access/matrix.py`), by `make access-table`.

"yes" is an answer of the operation itself. 401: no good credential was shown. 403: it is good, and may not. 404: there
is no such thing for who asks. A role is that of a user or of an API key; what only people can do (the rows without a
"yes" for keys) is refused to keys with 403. A scanner's device is a key with the role scanner. What depends on a state
besides (limits of refunds, gates, the last owner) stands in [permissions](permissions.md).

"""


def render() -> str:
    """Write the page."""
    lines = [f"| operation | {' | '.join(_HEADS)} |", "|---" * (len(_HEADS) + 1) + "|"]
    for operation, row in TABLE.items():
        cells = ["yes" if _is_let(row, asker) else str(expected(row, asker)) for asker in _COLUMNS]
        lines.append(f"| `{operation}` | {' | '.join(cells)} |")
    return _HEAD + "\n".join(lines) + "\n"


def _is_let(row: Row, asker: str) -> bool:
    status = expected(row, asker)
    return status == row.ok and (row.ok not in _WORDS or row.ok == 200 or _may(row, asker))


def _may(row: Row, asker: str) -> bool:
    """Tell a 404 of the thing apart from one of who asks."""
    if asker in ("foreigner", "foreign_key", "wrong_secret"):
        return row.lets in ("anyone", "viewers", "users")
    return True


if __name__ == "__main__":
    page = Path(__file__).parents[2] / "docs" / "reference" / "access.md"
    page.write_text(render(), encoding="utf-8")
