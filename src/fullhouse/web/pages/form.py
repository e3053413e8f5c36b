"""Reading a form that a browser sent, within limits."""

import re
from collections.abc import Mapping
from uuid import UUID

from starlette.requests import Request

from fullhouse.core.errors import Malformed
from fullhouse.infra.http import unstorable

FIELDS_MAX = 500
_TYPE = "application/x-www-form-urlencoded"
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


class FormUnreadable(Malformed):
    """What was sent is no form of ours."""

    code = "form_unreadable"
    title = "The form could not be read."


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, the last one of a name. Raises ``FormUnreadable``."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise FormUnreadable
    async with request.form(max_files=0, max_fields=FIELDS_MAX) as sent:
        fields = {name: value for name, value in sent.multi_items() if isinstance(value, str)}
    if len(fields) > FIELDS_MAX or unstorable(fields):
        raise FormUnreadable
    return fields


def count_in(fields: Mapping[str, str], name: str) -> int | None:
    """Read how many were asked for; nothing is 0, and None stands for what is no such number."""
    text = fields.get(name, "").strip()
    if not text:
        return 0
    return int(text) if _COUNT.fullmatch(text) else None


def nonce_in(fields: Mapping[str, str], name: str = "key") -> str:
    """Read the value that makes a form count once. Raises ``FormUnreadable``."""
    nonce = fields.get(name, "")
    if not _NONCE.fullmatch(nonce):
        raise FormUnreadable
    return nonce


def code_in(fields: Mapping[str, str]) -> str | None:
    """Return the code that was entered, or None."""
    return fields.get("code", "").strip()[:100] or None


def uuid_of(text: str) -> UUID | None:
    """Read an id, or None for what is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
