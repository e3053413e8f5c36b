"""What SES tells of mails: who is meant, what is wrong, for how long; and no address in the reason."""

import json
from typing import Any

import pytest

from fullhouse.core.errors import Malformed
from fullhouse.infra.mail_feedback import Feedback, read_feedback
from fullhouse.infra.mail_port import REASON_LENGTH_MAX, without_addresses

OWN = "<tickets.018f0000-0000-7000-8000-000000000001@tickets.example>"


def event(kind: str, *, own: str | None = OWN, **details: Any) -> dict[str, Any]:
    headers = [{"name": "From", "value": "tickets@tickets.example"}]
    if own:
        headers.append({"name": "X-FULLHOUSE-Message-ID", "value": own})
    return {"eventType": kind, "mail": {"messageId": "0100-of-ses", "headers": headers}, kind.lower(): details}


def bounce(kind: str = "Permanent", **more: Any) -> dict[str, Any]:
    said = "smtp; 550 5.1.1 <ana.souza@example.com>: user unknown"
    recipients = [{"emailAddress": "ana.souza@example.com", "diagnosticCode": said}]
    return event("Bounce", bounceType=kind, bounceSubType="General", bouncedRecipients=recipients, **more)


def in_envelope(told: dict[str, Any]) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:…", "Message": json.dumps(told)})


@pytest.mark.parametrize("write", [json.dumps, in_envelope])
def test_bounce_is_read_with_and_without_the_envelope_of_sns(write: Any) -> None:
    assert read_feedback(write(bounce())) == Feedback(
        OWN, "bounced", is_permanent=True, reason="Permanent, General: smtp; 550 5.1.1 [address]: user unknown"
    )


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_full_mailbox_is_not_for_ever(kind: str) -> None:
    found = read_feedback(json.dumps(bounce(kind)))
    assert found is not None
    assert (found.problem, found.is_permanent) == ("bounced", False)


def test_complaint_and_reject_are_read() -> None:
    complained = read_feedback(json.dumps(event("Complaint", complaintFeedbackType="abuse")))
    assert complained == Feedback(OWN, "complained", is_permanent=True, reason="abuse")
    refused = read_feedback(json.dumps(event("Reject", reason="Bad content")))
    assert refused == Feedback(OWN, "refused", is_permanent=True, reason="Bad content")
    older = {**event("Complaint"), "notificationType": "Complaint"}
    del older["eventType"]
    assert read_feedback(json.dumps(older)) == Feedback(OWN, "complained", is_permanent=True, reason="complaint")


@pytest.mark.parametrize("told", [event("Delivery"), event("Send"), event("Bounce", own=None)])
def test_what_tells_of_no_trouble_or_of_no_mail_of_ours_is_none(told: dict[str, Any]) -> None:
    assert read_feedback(json.dumps(told)) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        '{"eventType": "Bounce"}',
        '{"eventType": 1, "mail": {}}',
        '{"Type": "Notification"}',
        '{"Type": "Notification", "Message": "x"}',
        '{"Type": "Notification", "Message": 1}',
    ],
)
def test_what_is_no_event_of_ses_is_refused(body: str) -> None:
    with pytest.raises(Malformed):
        read_feedback(body)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <ana.souza@example.com> unknown", "550 [address] unknown"),
        ("for ana+x@exa-mple.com; josé@exämple.com", "for [address]; [address]"),
        ("a\r\nb\tc", "a b c"),
        ("x" * 1000, "x" * REASON_LENGTH_MAX),
    ],
)
def test_reason_has_one_line_and_no_address(said: str, kept: str) -> None:
    assert without_addresses(said) == kept
