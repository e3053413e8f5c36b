"""The kinds of values that settings hold: addresses of parts by their schemes, and lists."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from fullhouse.identity.oidc.providers import parse_providers


def split_list(value: object) -> object:
    """Read a list that is written with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def starts_with(*starts: str) -> AfterValidator:
    """Check the scheme here, so that the error says what to write."""

    def check(value: str) -> str:
        if not value.startswith(starts):
            raise ValueError(f"must start with {' or '.join(starts)}")
        return value

    return AfterValidator(check)


def no_database(value: str) -> str:
    """Refuse the address of a database where a broker is named."""
    if value.startswith("postgres") and value != "postgres":
        raise ValueError("'postgres' means the database of FULLHOUSE_DATABASE_URL, and takes no address")
    return value


def checked_providers(text: str) -> str:
    """Check the list of providers of identities."""
    parse_providers(text)
    return text


PostgresUrl = Annotated[str, starts_with("postgresql://", "postgres://")]
ValkeyUrl = Annotated[
    str,
    starts_with(
        *("valkey://", "valkeys://", "redis://", "rediss://", "unix://"),
        *("valkey+cluster://", "valkeys+cluster://", "redis+cluster://", "rediss+cluster://"),
    ),
]
BrokerUrl = Annotated[
    str,
    starts_with("postgres", "amqp://", "amqps://", "kafka://", "kafkas://", "sqs://"),
    AfterValidator(no_database),
]
WebAddress = Annotated[str, starts_with("http://", "https://"), AfterValidator(lambda value: value.rstrip("/"))]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(split_list)]
IdentityProviders = Annotated[str, AfterValidator(checked_providers)]
