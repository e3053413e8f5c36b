"""What became of a mail after SES had taken it, as SES tells it through SNS. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from fullhouse.core.errors import Malformed
from fullhouse.infra.mail_port import OWN_ID_HEADER, without_addresses

Problem = Literal["refused", "bounced", "complained"]
"""Refused: by the server at once; bounced: returned later; complained: the buyer called it unwanted."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A mail that did not arrive, or was not wanted. ``message_id`` is the one that we gave it."""

    message_id: str
    problem: Problem
    is_permanent: bool
    """Whether the address itself is wrong, so that another mail would fail too."""
    reason: str


def read_feedback(body: str) -> Feedback | None:
    """Read an event of SES, in the envelope of SNS or without; None if it tells of no trouble, or of no mail of ours.

    Raises ``Malformed`` for what is no event of SES.
    """
    event = _mapping(body)
    if event.get("Type") == "Notification":
        event = _mapping(event.get("Message"))
    kind = event.get("eventType") or event.get("notificationType")
    mail = event.get("mail")
    if not isinstance(kind, str) or not isinstance(mail, dict):
        raise Malformed("This is no event of SES.")
    message_id = _own_id(cast("dict[str, Any]", mail))
    told = _TELLS.get(kind)
    if message_id is None or told is None:
        return None
    return told(message_id, cast("Mapping[str, Any]", event.get(kind.lower()) or {}))


def _bounce(message_id: str, bounce: Mapping[str, Any]) -> Feedback:
    recipients = cast("list[Mapping[str, Any]]", bounce.get("bouncedRecipients") or [])
    said = [str(one["diagnosticCode"]) for one in recipients if one.get("diagnosticCode")]
    kind = f"{bounce.get('bounceType', 'Undetermined')}, {bounce.get('bounceSubType', 'Undetermined')}"
    reason = without_addresses(": ".join([kind, *said]))
    return Feedback(message_id, "bounced", bounce.get("bounceType") == "Permanent", reason)


def _complaint(message_id: str, complaint: Mapping[str, Any]) -> Feedback:
    reason = str(complaint.get("complaintFeedbackType") or complaint.get("complaintSubType") or "complaint")
    return Feedback(message_id, "complained", is_permanent=True, reason=without_addresses(reason))


def _reject(message_id: str, reject: Mapping[str, Any]) -> Feedback:
    reason = without_addresses(str(reject.get("reason") or "rejected"))
    return Feedback(message_id, "refused", is_permanent=True, reason=reason)


_TELLS = {"Bounce": _bounce, "Complaint": _complaint, "Reject": _reject}


def _own_id(mail: Mapping[str, Any]) -> str | None:
    """Find the header that we set: SES puts its own id in place of ``Message-ID``."""
    headers = cast("list[Mapping[str, Any]]", mail.get("headers") or [])
    found = (str(one.get("value")) for one in headers if str(one.get("name")).lower() == OWN_ID_HEADER.lower())
    return next(found, None)


def _mapping(text: object) -> Mapping[str, Any]:
    try:
        found: object = json.loads(text) if isinstance(text, str) else None
    except ValueError as wrong:
        raise Malformed("The body is no JSON.") from wrong
    if not isinstance(found, dict):
        raise Malformed("The body is no JSON object.")
    return cast("dict[str, Any]", found)
