"""The simulated provider: takes no money, and behaves as real ones do, at their worst too.

The buyer chooses the outcome. ``succeed`` and ``decline`` are told by a notice at once. ``late`` succeeds after
``late_seconds``, even if it was cancelled meanwhile, as bank transfers do. ``lost_answer`` succeeds, but the answers
to its start never arrive. Its notices are signed JSON bodies that come in through ``receive_webhook``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic_core import from_json, to_json

from fullhouse.core.clock import Clock
from fullhouse.core.errors import Invalid
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.postgres import Pool, Record, connection, transaction
from fullhouse.payments.news import News, RefundNews, Told
from fullhouse.payments.providers import simulated_books as books
from fullhouse.payments.providers.port import Attempt, Notice, ProviderKeys, RefundCall, SentNotice, Started
from fullhouse.payments.providers.signature import SIGNATURE_HEADER, check_signature, sign
from fullhouse.payments.rules import (
    Charge,
    ChargeStatus,
    NoticeRefused,
    ProviderRefused,
    ProviderUnavailable,
    RefundStatus,
)

SIMULATED = "simulated"
OUTCOMES = ("succeed", "decline", "late", "lost_answer")

_AT_ONCE: Mapping[str, ChargeStatus] = {
    "succeed": ChargeStatus.CAPTURED,
    "decline": ChargeStatus.DECLINED,
    "late": ChargeStatus.OPEN,
    "lost_answer": ChargeStatus.CAPTURED,
}


@dataclass(frozen=True, slots=True)
class SimulatedProvider:
    """Keeps its books in the same database, in tables that nothing else reads."""

    pool: Pool
    make_id: MakeId
    clock: Clock
    signing_keys: Sequence[bytes] = field(repr=False)
    """The first signs; all are accepted, so that they can be rotated."""
    late_seconds: float = 20.0

    def attempt_seconds_min(self, options: Mapping[str, Any]) -> int:  # noqa: ARG002 (all are alike)
        """Need no time: it can be cancelled at any moment."""
        return 0

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        """Take ``outcome``, by default ``succeed``."""
        outcome = options.get("outcome", "succeed")
        unknown = sorted(set(options) - {"outcome"})
        if outcome in OUTCOMES and not unknown:
            return {"outcome": outcome}
        name, message = (unknown[0], "Not known.") if unknown else ("outcome", f"Choose one of: {', '.join(OUTCOMES)}.")
        raise Invalid(f"{name}: {message}", errors=[{"field": name, "message": message}])

    async def check_keys(self, keys: ProviderKeys) -> bool:  # noqa: ARG002 (it takes none)
        """Take no keys: the operator offers it to all organizations alike."""
        message = "This provider takes no keys."
        raise Invalid(message, errors=[{"field": "provider", "message": message}])

    async def is_offered(self, organization_id: UUID) -> bool:  # noqa: ARG002 (all are alike)
        """Serve every organization."""
        return True

    async def start(self, attempt: Attempt) -> Started:
        """Enter the charge, and tell how it ended by a notice."""
        (outcome,) = await self.start_together([attempt])
        if isinstance(outcome, Started):
            return outcome
        raise outcome

    async def start_together(
        self, attempts: Sequence[Attempt]
    ) -> Sequence[Started | ProviderUnavailable | ProviderRefused]:
        """Do the same for many."""
        organization_id = attempts[0].organization_id
        async with connection(self.pool, organization_id) as conn:
            entered = await books.enter_charges(conn, organization_id, list(map(self._charge_for, attempts)))
        return [
            ProviderUnavailable("The answer was lost.", retry_after_seconds=1)
            if attempt.options["outcome"] == "lost_answer"
            else Started(Charge(entered[attempt.provider_key]["reference"], ChargeStatus.OPEN), {"type": "wait"})
            for attempt in attempts
        ]

    def _charge_for(self, attempt: Attempt) -> books.NewCharge:
        outcome = str(attempt.options["outcome"])
        return books.NewCharge(
            organization_id=attempt.organization_id,
            payment_id=attempt.payment_id,
            provider_key=attempt.provider_key,
            reference=f"sim_{self.make_id().hex}",
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            outcome=outcome,
            status=_AT_ONCE[outcome].value,
            notify_seconds=self.late_seconds if outcome == "late" else 0.0,
        )

    async def fetch(self, attempt: Attempt) -> Charge | None:
        """Look the charge up."""
        async with connection(self.pool, attempt.organization_id) as conn:
            row = await books.find_charge(conn, attempt.organization_id, attempt.provider_key)
        return _charge(row) if row else None

    async def cancel(self, attempt: Attempt) -> Charge:
        """Cancel the charge if it is open, or enter a cancelled one, so that a start on its way finds it so."""
        async with transaction(self.pool, attempt.organization_id) as conn:
            row = await books.cancel_charge(conn, attempt.organization_id, attempt.provider_key)
            row = row or await books.enter_charge(conn, self._never_started(attempt))
        return _charge(row)

    async def refund(self, call: RefundCall) -> RefundNews:
        """Give the money back at once."""
        key = call.charge
        async with transaction(self.pool, key.organization_id) as conn:
            reference = await books.enter_refund(
                conn,
                key.organization_id,
                call.provider_key,
                key.provider_key,
                call.amount_minor,
                f"simre_{self.make_id().hex}",
            )
        if reference is None:
            raise ProviderRefused("The charge has not so much left to refund.")
        return RefundNews(reference, RefundStatus.SUCCEEDED, call.amount_minor, call.refund_id)

    async def read_notice(self, sent: SentNotice, now: datetime) -> Notice | None:
        """Verify the signature over the raw bytes, then read."""
        check_signature(sent.raw, sent.headers.get(SIGNATURE_HEADER), self.signing_keys, now)
        try:
            body = cast("Mapping[str, Any]", from_json(sent.raw))
            payment_id = UUID(body["charge"]["payment_id"])
            notice_id = str(body["id"])
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise NoticeRefused("The notice cannot be read.") from broken
        return Notice(notice_id, payment_id, body)

    def news_in(self, body: Mapping[str, Any]) -> News | None:
        """Read the charge of a notice."""
        return _charge(body["charge"])

    async def list_news(self, organization_id: UUID, since: datetime, until: datetime) -> Sequence[Told]:
        """List what the books say."""
        async with connection(self.pool, organization_id) as conn:
            charges = await books.charges_between(conn, organization_id, since, until)
            refunds = await books.refunds_between(conn, organization_id, since, until)
        return [
            *(Told(_charge(row), row["payment_id"]) for row in charges),
            *(Told(_refund_news(row), row["payment_id"]) for row in refunds),
        ]

    async def close(self) -> None:
        """Have nothing open but the pool of the process."""

    def write_notice(self, row: Record) -> tuple[bytes, Mapping[str, str]]:
        """Write the signed notice of a charge as it stands: its bytes and headers. The same state has the same id."""
        now = self.clock()
        body = {
            "id": f"{row['reference']}_{row['status']}",
            "type": f"charge.{row['status']}",
            "created_at": now.isoformat(),
            "charge": {
                "reference": row["reference"],
                "payment_id": str(row["payment_id"]),
                "status": row["status"],
                "amount_minor": row["amount_minor"],
                "currency": row["currency"],
            },
        }
        raw = to_json(body)
        return raw, {SIGNATURE_HEADER: sign(raw, now, self.signing_keys[0])}

    def _never_started(self, attempt: Attempt) -> books.NewCharge:
        return books.NewCharge(
            organization_id=attempt.organization_id,
            payment_id=attempt.payment_id,
            provider_key=attempt.provider_key,
            reference=f"sim_{self.make_id().hex}",
            amount_minor=0,
            currency="XXX",
            outcome="decline",
            status=ChargeStatus.CANCELLED.value,
            notify_seconds=None,
        )


def _charge(row: Mapping[str, Any]) -> Charge:
    status = ChargeStatus(row["status"])
    return Charge(
        reference=row["reference"],
        status=status,
        captured_minor=row["amount_minor"] if status is ChargeStatus.CAPTURED else 0,
        reason="card_declined" if status is ChargeStatus.DECLINED else None,
        capture_reference=row["reference"] if status is ChargeStatus.CAPTURED else None,
    )


def _refund_news(row: Mapping[str, Any]) -> RefundNews:
    """Say that a refund is done. Its key names ours where we asked for it."""
    _, _, rest = str(row["provider_key"]).partition(":")
    refund_id, _, purpose = rest.partition(":")
    ours = UUID(refund_id) if purpose.startswith("refund") else None
    return RefundNews(row["reference"], RefundStatus.SUCCEEDED, row["amount_minor"], ours)
