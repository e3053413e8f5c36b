"""Money: integers of a currency's minor unit, and the currency's ISO 4217 code.

Exponents are those of ISO 4217 (list one): how many decimals the minor unit has.
"""

from dataclasses import dataclass

_TWO_DECIMALS = frozenset(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR "
    "IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN "
    "NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG".split()
)
_ZERO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_ZERO_DECIMALS, 0),
    **dict.fromkeys(_TWO_DECIMALS, 2),
    **dict.fromkeys(_THREE_DECIMALS, 3),
}
CURRENCIES = frozenset(_EXPONENTS)

AMOUNT_MINOR_MAX = 10**12
"""No single price or total may reach this; it keeps every sum far inside 64 bits."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of its currency."""

    amount_minor: int
    currency: str

    def __str__(self) -> str:
        """Write the amount with the currency's decimals: ``12.50 EUR``, ``1200 JPY``, ``1.250 KWD``."""
        exponent = currency_exponent(self.currency)
        sign = "-" if self.amount_minor < 0 else ""
        whole, rest = divmod(abs(self.amount_minor), 10**exponent)
        return f"{sign}{whole}.{rest:0{exponent}d} {self.currency}" if exponent else f"{sign}{whole} {self.currency}"


def currency_exponent(currency: str) -> int:
    """Return how many decimals a currency's minor unit has. Raises ``KeyError`` for a code that is none."""
    return _EXPONENTS[currency]
