"""What the documents say of webhooks is so: the snippet verifies, and the lists are whole."""

import re
from typing import Any
from uuid import uuid4

import pytest
from harness.receivers import Received, Receiver
from harness.sources import ROOT
from harness.web import SECRET_KEY
from harness.webhooks import Webhooks

from fullhouse.webhooks.rules import MESSAGE_TYPES, RETRY_SECONDS, DisabledReason, Trouble
from fullhouse.webhooks.signature import derive_webhook_secret

HOW_TO = (ROOT / "docs" / "how-to" / "receive-webhooks.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference" / "webhooks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def snippet() -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "receive-webhooks.md", "exec"), names)  # noqa: S102 (the document's own code)
    return names


@pytest.fixture
async def request_and_secret(webhooks: Webhooks, receiver: Receiver) -> tuple[Received, str]:
    endpoint = await webhooks.endpoint(receiver.url())
    await webhooks.announce()
    await webhooks.sender().send_due()
    return receiver.received[0], derive_webhook_secret(SECRET_KEY, endpoint.endpoint_id, 1)


async def test_the_snippet_takes_what_we_send_and_nothing_else(
    snippet: dict[str, Any], request_and_secret: tuple[Received, str]
) -> None:
    request, secret = request_and_secret
    snippet["verify"](secret, request.headers, request.body)
    old, later = (str(int(request.headers["webhook-timestamp"]) + shift) for shift in (-600, 600))
    signature = request.headers["webhook-signature"]
    for headers, body in (
        (request.headers, request.body + b" "),
        (request.headers | {"webhook-id": "another"}, request.body),
        (request.headers | {"webhook-timestamp": old}, request.body),
        (request.headers | {"webhook-timestamp": later}, request.body),
        (request.headers | {"webhook-signature": signature.replace("v1,", "v2,")}, request.body),
        (request.headers | {"webhook-signature": ""}, request.body),
    ):
        with pytest.raises(ValueError, match=r"too old|not signed"):
            snippet["verify"](secret, headers, body)
    other = derive_webhook_secret(SECRET_KEY, uuid4(), 1)
    with pytest.raises(ValueError, match="not signed"):
        snippet["verify"](other, request.headers, request.body)
    snippet["verify"](secret, request.headers | {"webhook-signature": f"v1,AAAA {signature}"}, request.body)


def test_the_reference_lists_every_type_reason_and_trouble() -> None:
    (row,) = re.findall(r"^\| `types` \|.*$", REFERENCE, re.MULTILINE)
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", row)) == MESSAGE_TYPES
    (row,) = re.findall(r"^\| `disabled_reason` \| (.*)$", REFERENCE, re.MULTILINE)
    assert set(re.findall(r"`([a-z_]+)`", row)) == {reason.value for reason in DisabledReason}
    troubles = REFERENCE.partition("| trouble | means |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", troubles, re.MULTILINE) == [trouble.value for trouble in Trouble]


def test_the_reference_tells_the_waits() -> None:
    (told,) = re.findall(r"The waits are (.*?), each", REFERENCE, re.DOTALL)
    units = {"s": 1, "min": 60, "h": 3600}
    waits = [int(count) * units[unit] for count, unit in re.findall(r"(\d+) (s|min|h)\b", told)]
    assert waits == list(RETRY_SECONDS)
