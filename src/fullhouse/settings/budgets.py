"""How often is too often, unless the operator says otherwise."""

from collections.abc import Mapping
from typing import Final

from pydantic import AfterValidator

from fullhouse.infra.rate_budgets import Budget, parse_budgets


def written_budgets(budgets: Mapping[str, Budget]) -> str:
    """Write budgets as their setting does."""
    return ",".join(f"{purpose}={budget.quota}/{budget.seconds}" for purpose, budget in budgets.items())


def budgets_over(defaults: Mapping[str, Budget]) -> AfterValidator:
    """Check budgets, and write those that were left out."""
    return AfterValidator(lambda text: written_budgets(parse_budgets(text, defaults)))


BY_ADDRESS: Final = {
    "sign_in": Budget(120, 60),
    "hold": Budget(1200, 60),
    "order_look_up": Budget(1200, 60),
    "scan": Budget(6000, 60),
    "notice": Budget(60_000, 60),
    "code": Budget(300, 60),
    "other": Budget(12_000, 60),
}
"""A theatre, a campus or a mobile network may stand behind one address, all at the on-sale."""

BY_IDENTITY: Final = {
    "sign_in": Budget(30, 60),
    "hold": Budget(600, 60),
    "order_look_up": Budget(300, 60),
    "scan": Budget(6000, 60),
    "notice": Budget(600, 60),
    "other": Budget(3000, 60),
}
"""All devices of a door may share one key."""
