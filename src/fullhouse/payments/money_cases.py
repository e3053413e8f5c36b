"""Cases of money: where a provider's books and ours differ, and nothing but a person can put it right."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Connection, Record
from fullhouse.infra.telemetry import counter, get_log
from fullhouse.payments.rules import Payment

CaseKind = Literal["capture_missing", "refund_missing", "capture_unknown", "amount_differs", "refund_failed"]

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

    case_id: UUID
    kind: CaseKind
    provider: str
    subject: str
    order_id: UUID | None
    payment_id: UUID | None
    detail: str
    opened_at: datetime
    closed_at: datetime | None


async def open_case(conn: Connection, make_id: MakeId, organization_id: UUID, new: NewCase) -> bool:
    """Open a case, once for what it is about: one that a person closed stays closed. Returns whether it is new."""
    tag = await conn.execute(
        """
        INSERT INTO money_cases (organization_id, case_id, kind, provider, subject, order_id, payment_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT money_cases_once DO NOTHING
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
        "DELETE FROM money_cases WHERE organization_id = $1 AND kind = $2 AND subject = $3",
        organization_id,
        kind,
        subject,
    )


async def close_case(conn: Connection, organization_id: UUID, case_id: UUID) -> MoneyCase | None:
    """Close a case that a person has dealt with. None where there is no such case; repeating is safe."""
    row = await conn.fetchrow(
        """
        UPDATE money_cases SET closed_at = coalesce(closed_at, clock_timestamp())
        WHERE organization_id = $1 AND case_id = $2 RETURNING *
        """,
        organization_id,
        case_id,
    )
    return _case(row) if row else None


async def list_open_cases(conn: Connection, organization_id: UUID, count_max: int) -> list[MoneyCase]:
    """List the open cases of an organization, oldest first."""
    rows = await conn.fetch(
        """
        SELECT * FROM money_cases WHERE organization_id = $1 AND closed_at IS NULL ORDER BY opened_at, case_id LIMIT $2
        """,
        organization_id,
        count_max,
    )
    return [_case(row) for row in rows]


def _case(row: Record) -> MoneyCase:
    return MoneyCase(
        case_id=row["case_id"],
        kind=row["kind"],
        provider=row["provider"],
        subject=row["subject"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        detail=row["detail"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
    )
