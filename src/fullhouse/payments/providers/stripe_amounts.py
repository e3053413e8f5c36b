"""Stripe's exponents: how it writes amounts of each currency, where that is not ISO 4217's minor unit. Pure.

Currencies of three decimals are taken by Stripe only in tens of the minor unit. What has no such form is refused:
nothing is rounded.

Stripe's page of currencies names UGX twice: in its list of those without decimals, and among its special cases, where
5 UGX are written as 500, as for ISK. The special case is the newer and the more exact one, and is what we follow. HUF
and TWD are special for payouts alone: charges of them have two decimals, as in ISO 4217.
"""

from fullhouse.core.money import currency_exponent
from fullhouse.payments.rules import ProviderRefused

_DECIMALS = {
    # Without decimals in ISO 4217, and written by Stripe with two that are always 00.
    "ISK": 2,
    "UGX": 2,
    # With two decimals in ISO 4217, and written by Stripe without.
    "MGA": 0,
}
_IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_NOT_TAKEN = frozenset({"IQD", "LYD"})


def to_stripe(amount_minor: int, currency: str) -> int:
    """Write an amount as Stripe does. Raises ``ProviderRefused`` where Stripe has no such amount."""
    iso, theirs = _exponents(currency)
    amount, rest = divmod(amount_minor * 10**theirs, 10**iso)
    if rest or currency in _NOT_TAKEN or (currency in _IN_TENS and amount % 10):
        detail = f"Stripe takes no amount of {amount_minor} in the minor unit of {currency}."
        raise ProviderRefused(detail, reason="amount_not_possible")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Read an amount that Stripe wrote, of a currency in its spelling, in ISO 4217's minor unit.

    What is less than a minor unit cannot come from us; it is dropped.
    """
    iso, theirs = _exponents(currency.upper())
    return amount * 10**iso // 10**theirs


def _exponents(currency: str) -> tuple[int, int]:
    iso = currency_exponent(currency)
    return iso, _DECIMALS.get(currency, iso)
