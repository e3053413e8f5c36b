"""The ledger's accounts and entries: double entry, append-only, one currency an order. Pure."""

from enum import StrEnum


class Account(StrEnum):
    """The accounts of the ledger beside one for each provider. Each is money by whom it belongs to."""

    BUYERS = "buyers"
    """Credit: captured, and not yet used for anything."""
    SALES = "sales"
    """Credit: the organization's, for places that were sold."""
    REFUNDS = "refunds"
    """Credit: to be given back, the provider has not done it yet."""
    DISPUTES = "disputes"
    """Debit: the provider has taken it away until a dispute is decided."""


Entry = tuple[tuple[str, int], ...]
"""Lines of one entry, as account and amount: what an account receives is positive. They sum to zero."""


def capture_entry(provider: str, amount_minor: int) -> Entry:
    """Enter money that a provider took: it holds it, and we owe it to the buyer."""
    return ((f"provider:{provider}", amount_minor), (Account.BUYERS, -amount_minor))


def sale_entry(total_minor: int) -> Entry:
    """Enter that a buyer's money paid for places."""
    return ((Account.BUYERS, total_minor), (Account.SALES, -total_minor))


def refund_request_entry(source: Account, amount_minor: int) -> Entry:
    """Enter that money is to be given back, out of a sale or out of what bought nothing."""
    return ((source, amount_minor), (Account.REFUNDS, -amount_minor))


def refund_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that a provider gave money back."""
    return ((Account.REFUNDS, amount_minor), (f"provider:{provider}", -amount_minor))


def refund_returned_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that money which a provider gave back came back to it: it is owed to the buyer again."""
    return ((f"provider:{provider}", amount_minor), (Account.REFUNDS, -amount_minor))


def dispute_withdrawn_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that a provider took money away until a dispute is decided."""
    return ((Account.DISPUTES, amount_minor), (f"provider:{provider}", -amount_minor))


def dispute_returned_entry(provider: str, amount_minor: int) -> Entry:
    """Enter that a dispute was won: the provider holds the money again. Negative, where a win was taken back."""
    return ((f"provider:{provider}", amount_minor), (Account.DISPUTES, -amount_minor))


def dispute_lost_entry(_provider: str, amount_minor: int) -> Entry:
    """Enter that a dispute was lost: what was sold was not paid after all."""
    return ((Account.SALES, amount_minor), (Account.DISPUTES, -amount_minor))
