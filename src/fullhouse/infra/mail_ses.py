"""Mail through SES (API version 2), without SMTP: what a Lambda function may send with its role alone.

SES puts its own id in place of ``Message-ID``; ours travels beside it as ``X-Fullhouse-Message-ID``.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses
from typing import Any
from urllib.parse import urlsplit

from fullhouse.infra.aws_client import AwsPlace, error_code, open_client, read_aws_url
from fullhouse.infra.mail_port import (
    OWN_ID_HEADER,
    AddressRefused,
    MailRefused,
    MailUnavailable,
    with_sender,
    without_addresses,
)

_OPTIONS = frozenset({"configuration_set"})
_REFUSED = frozenset({"MessageRejected", "BadRequestException", "InvalidParameterValue"})
"""What will be the same at the next try. All else, such as a sender that is not verified yet, may be mended."""


class SesMailer:
    """Opens a client for each mail: it costs little beside the rendering of what the mail carries."""

    def __init__(self, place: AwsPlace, options: Mapping[str, str], sender: str) -> None:
        """Keep where SES is; nothing is asked of it yet."""
        self._place = place
        self._sender = sender
        self._more = {"ConfigurationSetName": options["configuration_set"]} if "configuration_set" in options else {}

    async def send(self, message: EmailMessage) -> None:
        """Hand one mail over as it stands."""
        complete = with_sender(message, self._sender)
        if complete[OWN_ID_HEADER] is None:
            complete[OWN_ID_HEADER] = str(complete["Message-ID"])
        addresses = [address for _, address in getaddresses(complete.get_all("To", [])) if address]
        if not all(address.isascii() for address in addresses):
            raise AddressRefused("SES takes no address outside ASCII.")
        content = {"Raw": {"Data": complete.as_bytes(policy=SMTP)}}
        await self._call("send_email", Content=content, Destination={"ToAddresses": addresses}, **self._more)

    async def forget(self, message_id: str) -> None:
        """Do nothing: what was sent is the receiver's."""

    async def check(self) -> None:
        """Ask whether this account may send."""
        account = await self._call("get_account")
        if not account.get("SendingEnabled", True):
            raise MailUnavailable("SES does not let this account send.", retry_after_seconds=30)

    async def _call(self, name: str, **arguments: object) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (an extra)

        try:
            async with AsyncExitStack() as stack:
                client = await open_client(stack, "sesv2", self._place)
                return await getattr(client, name)(**arguments)
        except ClientError as refused:
            text = without_addresses(str(refused))
            if error_code(refused) in _REFUSED:
                raise MailRefused(text) from refused
            raise MailUnavailable(text, retry_after_seconds=30) from refused
        except (BotoCoreError, OSError, TimeoutError) as lost:
            raise MailUnavailable(without_addresses(str(lost)), retry_after_seconds=30) from lost


def open_ses(url: str, sender: str) -> SesMailer:
    """Return the mailer of ``ses://region?endpoint=…&configuration_set=…``. Raises ``OperatorError``."""
    place, options = read_aws_url(urlsplit(url), "FULLHOUSE_MAIL_URL", _OPTIONS)
    return SesMailer(place, options, sender)
