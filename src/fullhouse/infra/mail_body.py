"""The bodies of mails, written as they travel, and headers that many mails share, made once.

The library's own way parses each header of each part, and folds and copies what is already encoded, which takes ten
times as long. What it reads back is the same.
"""

from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import encode_rfc2231
from functools import lru_cache
from typing import Any

_LINE_BYTES = 57
"""As many bytes make a line of 76 characters of base64."""


# No line of the parts can begin like this: both encodings write "=" only before digits, letters and ends of lines.
_OUTER = "=_parts_of_the_mail"
_INNER = "=_texts_of_the_mail"


class _Written(str):
    """A header as it travels. The library takes what has a name for parsed, and else parses it for each who asks."""

    __slots__ = ("name",)

    name: str

    def fold(self, *, policy: Policy) -> str:
        """Return the line of the header; it is short."""
        return f"{self.name}: {self}{policy.linesep}"


def _written(name: str, value: str) -> _Written:
    header = _Written(value)
    header.name = name
    return header


_WRITTEN = {
    "MIME-Version": _written("MIME-Version", "1.0"),
    "Content-Type": _written("Content-Type", f'multipart/mixed; boundary="{_OUTER}"'),
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail."""

    content_type: str
    """As it stands in the header."""
    name: str
    data: bytes


@lru_cache(maxsize=256)
def parsed_header(name: str, value: str) -> Any:  # noqa: ANN401 (the library makes a class for each name)
    """Parse what stands in a header of many mails. Raises ``ValueError`` for one that would begin another header."""
    return SMTP.header_store_parse(name, value)[1]


def raw_header(message: EmailMessage, name: str) -> str:
    """Return a header as it was set, empty where there is none. The library parses it anew for each who asks."""
    return next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")


def with_body(
    message: EmailMessage, *, alternatives: Sequence[tuple[str, str]], attachments: Sequence[Attachment]
) -> None:
    """Give a mail its texts, by their subtypes, the plainest first, and its attachments."""
    outer, inner = _OUTER, _INNER
    parts = [
        f'--{outer}\r\nContent-Type: multipart/alternative;\r\n boundary="{inner}"\r\n\r\n',
        *(_text(inner, subtype, text) for subtype, text in alternatives),
        f"--{inner}--\r\n\r\n",
        *(_attachment(outer, attachment) for attachment in attachments),
        f"--{outer}--\r\n",
    ]
    message.set_raw("MIME-Version", _WRITTEN["MIME-Version"])
    message.set_raw("Content-Type", _WRITTEN["Content-Type"])
    # The library writes a body that is one text as it is.
    message.set_payload("".join(parts))


def _text(boundary: str, subtype: str, text: str) -> str:
    lines = text.replace("\r\n", "\n").removesuffix("\n").replace("\r", "\n").replace("\n", "\r\n") + "\r\n"
    encoded = b2a_qp(lines.encode(), istext=True).decode()
    return (
        f'--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{encoded}\r\n"
    )


def _attachment(boundary: str, attachment: Attachment) -> str:
    data = memoryview(attachment.data)
    encoded = b"\r\n".join(
        b2a_base64(data[start : start + _LINE_BYTES], newline=False) for start in range(0, len(data), _LINE_BYTES)
    )
    name = attachment.name
    named = f'filename="{name}"' if _is_plain(name) else f"filename*={encode_rfc2231(name, 'utf-8')}"
    return (
        f"--{boundary}\r\nContent-Type: {attachment.content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; {named}\r\n\r\n{encoded.decode()}\r\n"
    )


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and not {*name} & {*'"\\'}
