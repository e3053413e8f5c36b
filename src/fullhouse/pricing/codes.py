"""Codes: texts that take something off, or open hidden ticket types; and how they are refused. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound
from fullhouse.pricing.rules import Discount, FeePer

_CODE = re.compile(r"[A-Z0-9][A-Z0-9_-]{2,39}")


@dataclass(frozen=True, slots=True)
class CodeTerms:
    """What an organization decides about a code."""

    code: str
    note: str = ""
    """What it is for, for the organization itself."""
    event_id: UUID | None = None
    """None: every event."""
    session_ids: frozenset[UUID] = frozenset()
    """None: every session."""
    ticket_type_ids: frozenset[UUID] = frozenset()
    """What becomes cheaper, and of that opens what is hidden; none: all that is not hidden becomes cheaper."""
    rate: int = 0
    amount_minor: int = 0
    per: FeePer = FeePer.TICKET
    currency: str | None = None
    """Of the amount."""
    uses_max: int | None = None
    """How many orders may use it; None for any number."""
    per_buyer_max: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it stands, with how often it is used."""

    organization_id: UUID
    code_id: UUID
    terms: CodeTerms
    use_count: int
    created_at: datetime

    @property
    def is_left(self) -> bool:
        """Say whether another order may use it."""
        return self.terms.uses_max is None or self.use_count < self.terms.uses_max


class Where(NamedTuple):
    """A session that a code is shown for."""

    event_id: UUID
    session_id: UUID
    currency: str


class OpenedCode(NamedTuple):
    """What a code does for who has shown it."""

    code_id: UUID | None
    """None where a member of the organization needs none."""
    discount: Discount | None
    opens: frozenset[UUID]
    """Hidden ticket types that may be had."""


def normal_code(text: str) -> str:
    """Write a code as it is kept: capitals, nothing around. Raises ``CodeNotValid`` for what cannot be one."""
    code = text.strip().upper()
    if not _CODE.fullmatch(code):
        raise CodeNotValid
    return code


def open_code(code: Code, where: Where, now: datetime, *, again: bool = False) -> OpenedCode:
    """Say what a code does at a session at an instant. Raises ``CodeNotValid``, whatever the reason.

    ``again`` leaves open whether any use is left: who shows it may have had the last one.
    """
    terms = code.terms
    here = terms.event_id in {None, where.event_id} and (not terms.session_ids or where.session_id in terms.session_ids)
    begun = terms.valid_from is None or now >= terms.valid_from
    over = terms.valid_until is not None and now >= terms.valid_until
    foreign = bool(terms.amount_minor) and terms.currency != where.currency
    if not (terms.enabled and here and begun and (again or code.is_left)) or over or foreign:
        raise CodeNotValid
    return OpenedCode(code.code_id, discount_of(code), terms.ticket_type_ids)


def discount_of(code: Code) -> Discount | None:
    """Return what a code takes off; None for one that only opens hidden ticket types."""
    terms = code.terms
    if not terms.rate and not terms.amount_minor:
        return None
    return Discount(terms.code, terms.rate, terms.amount_minor, terms.per, terms.ticket_type_ids)


class CodeNotFound(NotFound):
    """There is no such code."""

    code = "code_not_found"
    title = "There is no such code."


class CodeExists(Conflict):
    """The organization has a code of these letters already."""

    code = "code_exists"
    title = "There is a code of these letters already."


class CodeNotValid(Conflict):
    """A code is not known, not valid here or now, or used up. Which of these is not said, so that none is guessed."""

    code = "code_not_valid"
    title = "This code is not valid here, or no longer."
