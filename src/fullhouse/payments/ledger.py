"""The ledger's accounts and entries: double entry, append-only, one currency an order. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction

from fullhouse.pricing.parts import Parts


class Account(StrEnum):
    """The accounts of the ledger beside one for each provider. Each is money by whom it belongs to."""

    BUYERS = "buyers"
    """Credit: captured, and not yet used for anything."""
    SALES = "sales"
    """Credit: the organization's, for places that were sold: their prices without taxes."""
    DISCOUNTS = "discounts"
    """Debit: what was taken off those prices."""
    FEES = "fees"
    """Credit: fees without taxes, whoever pays them."""
    ABSORBED_FEES = "absorbed_fees"
    """Debit: fees that the organization pays out of its sales."""
    TAXES = "taxes"
    """Credit: taxes, to be handed on."""
    REFUNDS = "refunds"
    """Credit: to be given back, the provider has not done it yet."""
    DISPUTES = "disputes"
    """Debit: the provider has taken it away until a dispute is decided."""
    PAID_OTHERWISE = "paid_otherwise"
    """Credit: the organization gave it back otherwise; what the provider kept of it is the organization's."""
    FORFEITED = "forfeited"
    """Credit: was to be given back, and is not owed any more; the organization's."""


Entry = tuple[tuple[str, int], ...]
"""Lines of one entry, as account and amount: what an account receives is positive. They sum to zero."""


def capture_entry(provider: str, amount_minor: int) -> Entry:
    """Enter money that a provider took: it holds it, and we owe it to the buyer."""
    return ((f"provider:{provider}", amount_minor), (Account.BUYERS, -amount_minor))


SOLD = (Account.SALES, Account.DISCOUNTS, Account.FEES, Account.ABSORBED_FEES, Account.TAXES)
"""The accounts that a sale is entered in: they sum to what was paid for it and not given back."""


def sold_accounts(parts: Parts) -> dict[Account, int]:
    """Return what places come to on each account of a sale. They sum to what the buyer pays, below zero."""
    contained = parts.tax_minor - parts.tax_added_minor
    contained_of_fees = parts.tax_of_fees_minor if contained else 0
    return {
        Account.SALES: -(parts.price_minor - (contained - contained_of_fees)),
        Account.DISCOUNTS: parts.discount_minor,
        Account.FEES: -(parts.fee_minor + parts.absorbed_minor - contained_of_fees),
        Account.ABSORBED_FEES: parts.absorbed_minor,
        Account.TAXES: -parts.tax_minor,
    }


def sale_entry(parts: Parts) -> Entry:
    """Enter that a buyer's money paid for places: their price, what was taken off, fees and taxes."""
    accounts = ((account, amount) for account, amount in sold_accounts(parts).items() if amount)
    return ((Account.BUYERS, parts.total_minor), *accounts)


def scale_accounts(accounts: Mapping[Account, int], amount_minor: int) -> dict[Account, int]:
    """Return the share of an amount in what stands on the accounts of a sale; sales take what rounding leaves.

    All of it is exactly all of it. Where less is left on them, sales bear what is beyond.
    """
    whole = -sum(accounts.values())
    if whole <= 0:
        return {Account.SALES: -amount_minor}
    within = min(amount_minor, whole)
    scaled = {
        account: round(Fraction(balance * within, whole))
        for account, balance in accounts.items()
        if account is not Account.SALES
    }
    return {Account.SALES: -amount_minor - sum(scaled.values()), **scaled}


def refund_request_entry(taken: Mapping[Account, int], amount_minor: int) -> Entry:
    """Enter that money is to be given back: what each account gives of it, below zero as it stands there."""
    given = ((account, -amount) for account, amount in taken.items() if amount)
    return (*given, (Account.REFUNDS, -amount_minor))


def refund_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that a provider gave money back."""
    return ((Account.REFUNDS, amount_minor), (f"provider:{provider}", -amount_minor))


def refund_returned_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that money which a provider gave back came back to it: it is owed to the buyer again."""
    return ((f"provider:{provider}", amount_minor), (Account.REFUNDS, -amount_minor))


def refund_ended_entry(account: Account, amount_minor: int) -> Entry:
    """Enter that what was to be given back is not owed any more, though the provider has kept it."""
    return ((Account.REFUNDS, amount_minor), (account, -amount_minor))


def dispute_withdrawn_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that a provider took money away until a dispute is decided."""
    return ((Account.DISPUTES, amount_minor), (f"provider:{provider}", -amount_minor))


def dispute_returned_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that a dispute was won: the provider holds the money again. Negative, where a win was taken back."""
    return ((f"provider:{provider}", amount_minor), (Account.DISPUTES, -amount_minor))


def dispute_lost_entry(taken: Mapping[Account, int], amount_minor: int) -> Entry:
    """Enter that a dispute was lost: what was sold was not paid after all, so each account of the sale gives of it.

    ``taken`` is what they give, below zero as it stands there: the same as for a refund of that amount.
    """
    given = ((account, -amount) for account, amount in taken.items() if amount)
    return (*given, (Account.DISPUTES, -amount_minor))


def refund_by_dispute_entry(amount_minor: int) -> Entry:
    """Enter that a lost dispute gave a buyer what a refund should have."""
    return ((Account.REFUNDS, amount_minor), (Account.DISPUTES, -amount_minor))
