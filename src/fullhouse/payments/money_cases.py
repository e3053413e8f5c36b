"""Cases of money: where a provider's books and ours differ, and nothing but a person can put it right."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from fullhouse.core.errors import NotFound
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Connection, Record
from fullhouse.infra.telemetry import counter, get_log
from fullhouse.payments.rules import Payment

CaseKind = Literal["capture_missing", "refund_missing", "capture_unknown", "amount_differs", "refund_failed"]

MEANINGS: Mapping[CaseKind, str] = {
    "capture_missing": "We say that money was taken, the provider says it was not. Look the payment up in its pages.",
    "refund_missing": "We say that money went back, the provider says it did not. Give it back in its pages.",
    "capture_unknown": "The provider took money with our mark, for a payment that is not here. Refund it in its pages.",
    "amount_differs": "Both know the payment, by other amounts. See which is right; refund the difference.",
    "refund_failed": "A refund did not go back, and is owed. Retry it, or pay it back otherwise and close this.",
}
"""What each kind says, and what to do first; ``docs/reference/money-states.md`` has the rest."""

Resolution = Literal["put_right_at_provider", "paid_back_otherwise", "forfeited", "none_of_ours", "written_off"]
"""How a person put a case right: the words that the audit log keeps."""

CASES_OPENED = counter("money_cases_opened", "Cases of money that only a person can put right, by kind.", ["kind"])
_log = get_log("payments")


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case to open: what it is about in the provider's words, or by our id, and what a person should know."""

    kind: CaseKind
    provider: str
    subject: str
    detail: str
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class MoneyCase:
    """A case as it is kept."""

    organization_id: UUID
    case_id: UUID
    kind: CaseKind
    provider: str
    subject: str
    order_id: UUID | None
    payment_id: UUID | None
    detail: str
    opened_at: datetime
    closed_at: datetime | None
    resolution: Resolution | None
    reference: str | None
    """What proves the resolution: the name of a refund at the provider, the number of a transfer or of a paper."""


class MoneyCaseNotFound(NotFound):
    """The organization has no such case."""

    code = "money_case_not_found"
    title = "There is no such case."


async def open_case(conn: Connection, make_id: MakeId, organization_id: UUID, new: NewCase) -> bool:
    """Open a case, once for what it is about. Returns whether it is new.

    One that a person closed stays closed, but for a refund that fails after that: it is owed again.
    """
    tag = await conn.execute(
        """
        INSERT INTO money_cases (organization_id, case_id, kind, provider, subject, order_id, payment_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT money_cases_once
        DO UPDATE SET opened_at = clock_timestamp(), closed_at = NULL, resolution = NULL, reference = NULL,
                      detail = excluded.detail
        WHERE money_cases.kind = 'refund_failed' AND money_cases.closed_at IS NOT NULL
        """,
        organization_id,
        make_id(),
        new.kind,
        new.provider,
        new.subject,
        new.payment.order_id if new.payment else None,
        new.payment.payment_id if new.payment else None,
        new.detail[:1000],
    )
    if tag == "INSERT 0 0":
        return False
    CASES_OPENED.labels(new.kind).inc()
    _log.error("money_case_opened", kind=new.kind, provider=new.provider, subject=new.subject, detail=new.detail)
    return True


async def end_case(conn: Connection, organization_id: UUID, kind: CaseKind, subject: str) -> None:
    """Strike a case that has come right by itself; should it come back, it is a new one."""
    await conn.execute(
        """
        DELETE FROM money_cases WHERE organization_id = $1 AND kind = $2 AND subject = $3 AND closed_at IS NULL
        """,
        organization_id,
        kind,
        subject,
    )


async def load_missing_refunds(conn: Connection, organization_id: UUID, payment_id: UUID) -> frozenset[UUID]:
    """Return the refunds of a payment that its provider denies, where nobody has dealt with that yet."""
    rows = await conn.fetch(
        """
        SELECT subject FROM money_cases
        WHERE organization_id = $1 AND payment_id = $2 AND kind = 'refund_missing' AND closed_at IS NULL
        """,
        organization_id,
        payment_id,
    )
    return frozenset(UUID(row["subject"]) for row in rows)


async def list_cases(
    conn: Connection,
    organization_id: UUID,
    *,
    is_open: bool = True,
    after: tuple[datetime, UUID] | None = None,
    count_max: int = 100,
) -> list[MoneyCase]:
    """List the cases of an organization that are open, or that are closed, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT * FROM money_cases
        WHERE organization_id = $1 AND (closed_at IS NULL) = $2 AND (opened_at, case_id) > ($3, $4)
        ORDER BY opened_at, case_id LIMIT $5
        """,
        organization_id,
        is_open,
        *(after or (datetime.min.replace(tzinfo=UTC), UUID(int=0))),
        count_max,
    )
    return [case_of(row) for row in rows]


async def list_every_case(
    conn: Connection, organization_id: UUID | None, *, is_open: bool, count_max: int
) -> list[MoneyCase]:
    """List the cases of every organization, or of one, the oldest first, as operators see them."""
    rows = await conn.fetch(
        """
        SELECT * FROM money_cases
        WHERE ($1::uuid IS NULL OR organization_id = $1) AND (closed_at IS NULL) = $2
        ORDER BY opened_at, case_id LIMIT $3
        """,
        organization_id,
        is_open,
        count_max,
    )
    return [case_of(row) for row in rows]


async def find_case(conn: Connection, case_id: UUID) -> MoneyCase | None:
    """Find a case, whosever it is, as operators do."""
    row = await conn.fetchrow("SELECT * FROM money_cases WHERE case_id = $1 ORDER BY organization_id LIMIT 1", case_id)
    return case_of(row) if row else None


def case_of(row: Record) -> MoneyCase:
    """Build a case from its row."""
    return MoneyCase(
        organization_id=row["organization_id"],
        case_id=row["case_id"],
        kind=row["kind"],
        provider=row["provider"],
        subject=row["subject"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        detail=row["detail"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        resolution=row["resolution"],
        reference=row["reference"],
    )
