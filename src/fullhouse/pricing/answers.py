"""How charges are shown: the wire models that routes of higher features answer with."""

from collections.abc import Sequence

from fullhouse.infra.http import ApiModel
from fullhouse.pricing.parts import ChargeKind, LineQuote, breakdown_of
from fullhouse.pricing.rules import percent_text


class ChargeAnswer(ApiModel):
    """One amount of a breakdown; a discount is negative. What is ``included`` stands in the price, and adds nothing."""

    kind: ChargeKind
    name: str
    percent: str | None
    """The rate of a tax."""
    amount_minor: int
    included: bool


def charge_answers(quotes: Sequence[LineQuote]) -> list[ChargeAnswer]:
    """Show what is paid, or contained, beside the prices of some lines."""
    return [
        ChargeAnswer(
            kind=one.kind,
            name=one.name,
            percent=percent_text(one.rate) if one.kind is ChargeKind.TAX else None,
            amount_minor=one.amount_minor,
            included=one.contained,
        )
        for one in breakdown_of(quotes)
    ]
