"""The table of settings: each with its type, default and meaning."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from fullhouse.identity.oidc.providers import Provider, parse_providers
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.rate_budgets import Budget, parse_budgets
from fullhouse.infra.resources import Places
from fullhouse.settings.budgets import BY_ADDRESS, BY_IDENTITY, budgets_over, written_budgets
from fullhouse.settings.kinds import BrokerUrl, IdentityProviders, Networks, PostgresUrl, ValkeyUrl, WebAddress

PREFIX = "FULLHOUSE_"
SECRET_KEY_BYTES_MIN = 32

SECRET: JsonDict = {"secret": True}
"""Marks a setting whose value is never shown."""

URL_WITH_PASSWORD: JsonDict = {"url": True}
"""Marks a setting whose password, if it has one, is never shown."""


class SettingsError(OperatorError):
    """A setting is unknown, invalid or missing; the text names it."""


class Settings(BaseModel):
    """The settings of one process. The table that ``fullhouse settings`` and ``.env.example`` show is made of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: PostgresUrl | None = Field(
        default=None,
        description="PostgreSQL 15 or later. Default: an embedded server in the data folder.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    database_owner_url: PostgresUrl | None = Field(
        default=None,
        description="Signs in as the owner of the tables, for migrations. Default: the database URL.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    database_pool_max: int = Field(
        default=20, ge=2, le=500, description="Connections that one process keeps to the database at most."
    )
    database_pooler: bool = Field(
        default=False,
        description="'on' where the database URL leads to PgBouncer, RDS Proxy or the like, which lend connections "
        "for one transaction each.",
    )
    database_direct_url: PostgresUrl | None = Field(
        default=None,
        description="The database without its pooler, for the few connections that listen or hold the lock of the "
        "schedule. Default: the database URL; behind a pooler none, so messages are looked for and not told of.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    valkey_url: ValkeyUrl | None = Field(
        default=None,
        description="Valkey 7.2 or Redis 7, or later; a cluster as valkey+cluster://one:6379,two:6379. "
        "Default: an embedded server in the data folder.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    broker_url: BrokerUrl = Field(
        default="postgres",
        description="Where messages travel. 'postgres' is the database itself; or amqp(s)://…, kafka(s)://…, sqs://….",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    object_store_url: str | None = Field(
        default=None,
        description="Rendered tickets: a folder, or s3://bucket/prefix?endpoint=…&region=…. "
        "Default: the folder 'objects' in the data folder.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    mail_url: str | None = Field(
        default=None,
        description="Outgoing mail: a folder, smtp://user:password@host:port, or ses://region. "
        "Default: the folder 'mailbox' in the data folder.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    mail_feedback_url: str | None = Field(
        default=None,
        description="The queue into which SES tells, through SNS, which mails did not arrive: sqs://region?queue=NAME. "
        "A worker notes it with the orders.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    mail_from: str = Field(default="Fullhouse <tickets@fullhouse.example>", description="The sender of mails.")
    secret_key: str | None = Field(
        default=None,
        description="At least 32 bytes from which secrets and signing keys are derived; the same for all processes, "
        "and never changed. Default: made once and kept in the data folder, with the embedded database alone.",
        json_schema_extra=SECRET,
    )
    public_url: WebAddress | None = Field(
        default=None,
        description="The address under which buyers reach the product, without a path; it stands in mails and "
        "tickets. Default: http://HOST:PORT.",
    )
    data_dir: Path = Field(
        default=Path(".data/fullhouse"), description="The data folder: embedded servers, mailbox, objects, secret key."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="The address on which the API listens.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="The port of the API. Default: the first free one from 8000."
    )
    workers: int = Field(default=1, ge=1, le=64, description="API processes of 'fullhouse up' and 'fullhouse api'.")
    renderers: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Processes of 'fullhouse up' that render and mail tickets; with 0 the worker does it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged at least."
    )
    log_format: Literal["json", "text"] | None = Field(
        default=None,
        description="'json': one object a line; 'text': for people. Default: text on a terminal, else json.",
    )
    rate_limits: bool = Field(default=True, description="'off' is for load tests.")
    rate_limits_by_address: Annotated[str, budgets_over(BY_ADDRESS)] = Field(
        default=written_budgets(BY_ADDRESS),
        description="Requests and seconds for one address (IPv6: a /64), by purpose, for all who do not show a known "
        "credential. Many people may share an address. What is not named keeps its default.",
    )
    rate_limits_by_identity: Annotated[str, budgets_over(BY_IDENTITY)] = Field(
        default=written_budgets(BY_IDENTITY),
        description="The same for one API key, user, or holder of an order or reservation.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks of proxies whose forwarding header is believed, with commas between: 10.0.0.0/8.",
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for",
        description="The header that the trusted proxies write; they pass on the other one unread, so it is not.",
    )
    connections_max: int = Field(
        default=10_000, ge=10, le=1_000_000, description="Connections that one process of the API takes at most."
    )
    stream_connections_max: int = Field(
        default=5_000,
        ge=0,
        le=1_000_000,
        description="How many of them may follow the changes of sessions; the rest is kept for those who buy.",
    )
    stream_connections_by_address_max: int = Field(
        default=200, ge=1, le=1_000_000, description="How many of those one address (IPv6: a /64) may have."
    )
    stream_seconds_max: float = Field(
        default=600, ge=0.01, le=86_400, description="How long one of them lasts at most; its client connects again."
    )
    body_bytes_max: int = Field(
        default=262_144, ge=1_024, le=100_000_000, description="The largest body of a request, seat maps aside."
    )
    seat_map_bytes_max: int = Field(
        default=32_000_000, ge=1_024, le=500_000_000, description="The largest body of a seat map's import."
    )
    access_token_seconds: int = Field(
        default=600, ge=60, le=600, description="How long an access token of somebody who signed in is good."
    )
    sign_in_idle_days: int = Field(
        default=14, ge=1, le=90, description="After how many days without a refresh somebody has to sign in again."
    )
    sign_in_days_max: int = Field(
        default=90, ge=1, le=400, description="After how many days somebody has to sign in again in any case."
    )
    signing_key_days: int = Field(
        default=30, ge=1, le=400, description="How old the key that signs access tokens becomes before it is changed."
    )
    sign_in_unverified: bool | None = Field(
        default=None,
        description="'on' lets people sign in before they have opened the link in the mail to them; trying to register "
        "then shows who has an account. Default: on with the embedded database, else off.",
    )
    identity_providers: IdentityProviders = Field(
        default="[]",
        description="Where people may sign in by OpenID Connect: a JSON list of objects with name, issuer, client_id, "
        "client_secret and, if you like, title.",
        json_schema_extra=SECRET,
    )
    simulated_payments: bool | None = Field(
        default=None,
        description="'on' offers a provider that takes no money. Default: on with the embedded database, else off.",
    )
    simulated_late_seconds: float = Field(
        default=20, ge=0, le=86_400, description="How late the simulated provider's late success comes."
    )
    payment_attempt_seconds: int = Field(
        default=600, ge=30, le=86_400, description="How long a payment attempt may stay open before it is cancelled."
    )
    payment_margin_seconds: int = Field(
        default=60,
        ge=1,
        le=3_600,
        description="How long stock stays held after the deadline of an open payment attempt.",
    )
    stripe_refunds_per_second: float = Field(
        default=20,
        gt=0,
        le=1_000,
        description="How many refunds a second are asked of Stripe for one organization, all processes together.",
    )
    buyer_data_days: int = Field(
        default=730,
        ge=0,
        le=36_500,
        description="So many days after a session its buyers are erased: names, addresses, consents, documents. "
        "0: never by itself.",
    )
    stripe_api: WebAddress = Field(default="https://api.stripe.com", description="Stripe; others are for tests.")
    audit_origin_days: int = Field(
        default=180,
        ge=0,
        le=36_500,
        description="After so many days the audit log forgets from which address and with which program somebody "
        "acted; who did what stays. 0: never.",
    )
    drain_seconds: int = Field(
        default=0,
        ge=0,
        le=300,
        description="How long the API still takes requests after it was asked to stop, while /readyz says 'draining', "
        "so that a balancer can turn away.",
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="'on' sends webhooks to private addresses and any port too: for development alone.",
    )
    traces_url: WebAddress | None = Field(
        default=None,
        description="An OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318. Default: no traces.",
        json_schema_extra=URL_WITH_PASSWORD,
    )
    traces_ratio: float = Field(default=1.0, ge=0, le=1, description="Which share of all traces is kept.")
    shutdown_grace_seconds: int = Field(
        default=20, ge=1, le=600, description="How long requests and messages in flight may take to finish at shutdown."
    )

    def places(self, *, valkey_needed: bool = True) -> Places:
        """Return where the parts of the product are; raise ``SettingsError`` if one that is needed is missing."""
        return Places(
            database_url=_needed("DATABASE_URL", self.database_url),
            valkey_url=_needed("VALKEY_URL", self.valkey_url) if valkey_needed else self.valkey_url,
            broker_url=self.broker_url,
            object_store_url=self.object_store_url or str(self.data_dir.absolute() / "objects"),
            mail_url=self.mail_url or str(self.data_dir.absolute() / "mailbox"),
            mail_from=self.mail_from,
            secret_key=checked_key(_needed("SECRET_KEY", self.secret_key)),
            public_url=self.public_url or default_public_url(self.host, self.port or 8000),
            database_pool_max=self.database_pool_max,
            database_pooler=self.database_pooler,
            database_direct_url=self.database_direct_url,
        )

    def budgets(self) -> dict[str, Budget]:
        """Return all budgets by purpose: ``address.hold``, ``identity.scan`` and so on."""
        groups = {
            "address": parse_budgets(self.rate_limits_by_address, BY_ADDRESS),
            "identity": parse_budgets(self.rate_limits_by_identity, BY_IDENTITY),
        }
        return {f"{group}.{purpose}": budget for group, found in groups.items() for purpose, budget in found.items()}

    def offers_simulated_payments(self) -> bool:
        """Say whether the simulated provider may be used; ``fullhouse up`` turns it on for its embedded database."""
        return bool(self.simulated_payments)

    def providers(self) -> tuple[Provider, ...]:
        """Return where people may sign in by OpenID Connect."""
        return parse_providers(self.identity_providers)

    def signs_in_unverified(self) -> bool:
        """Say whether a mail address need not be verified first; ``fullhouse up`` turns it on in the same way."""
        return bool(self.sign_in_unverified)


def default_public_url(host: str, port: int) -> str:
    """Return the address under which a server on this host and port is reached from the same machine."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{reached}:{port}"


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise SettingsError(f"{PREFIX}{name} is needed here; only 'fullhouse up' does without it")
    return value


def checked_key(text: str) -> bytes:
    """Return the bytes of a secret key, if they are enough."""
    key = text.encode()
    if len(key) < SECRET_KEY_BYTES_MIN:
        raise SettingsError(f"{PREFIX}SECRET_KEY has {len(key)} bytes; it needs at least {SECRET_KEY_BYTES_MIN}")
    return key
