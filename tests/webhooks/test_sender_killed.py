"""kill -9 of a sender at each step: nothing is lost, and what is sent twice carries one id."""

import signal
import sys
from pathlib import Path

import pytest
from harness.processes import Program, clean_environment
from harness.receivers import Receiver
from harness.waiting import until
from harness.webhooks import Webhooks

from fullhouse.operations.verify import verify

pytestmark = pytest.mark.chaos

SEND = "fullhouse.webhooks.send_deliveries"
CLAIM_NOT_COMMITTED = [f"after {SEND}:claim_deliveries"]
BEFORE_IT_LEFT = [*CLAIM_NOT_COMMITTED, f"before {SEND}:post_message"]
AFTER_IT_ARRIVED = [
    f"after {SEND}:post_message",
    f"after {SEND}:lock_claimed",
    f"after {SEND}:end_attempt",
    f"after {SEND}:note_outcome",
]
COUNTED = [f"after {SEND}:count_attempt"]


@pytest.mark.parametrize("step", BEFORE_IT_LEFT + AFTER_IT_ARRIVED + COUNTED)
async def test_delivery_arrives_wherever_the_sender_dies(
    webhooks: Webhooks,
    receiver: Receiver,
    authority: tuple[Path, Path],
    fresh_database: str,
    tmp_path: Path,
    step: str,
) -> None:
    await webhooks.endpoint(receiver.url())
    (message_id,) = await webhooks.announce()
    command = [sys.executable, "-m", "harness.crashing_sender", fresh_database, str(authority[0]), step]
    program = Program(command, tmp_path, clean_environment(PYTHONPATH=_paths()))

    async def has_ended() -> bool:
        return program.process.poll() is not None

    try:
        await until(has_ended)
    finally:
        program.end()
    assert program.process.returncode == -signal.SIGKILL, program.text()

    counted = step in COUNTED
    assert await webhooks.statuses() == ([("delivered", 1)] if counted else [("pending", 0)])
    if step not in CLAIM_NOT_COMMITTED:
        assert await webhooks.sender().send_due() == 0, "its lease is still good"
        await webhooks.make_due()
    assert await webhooks.sender().send_due() == (0 if counted else 1)

    assert await webhooks.statuses() == [("delivered", 1)]
    assert await webhooks.attempts() == [(204, None)]
    assert receiver.ids() == [message_id] * (2 if step in AFTER_IT_ARRIVED else 1)
    assert [finding.check for finding in await verify(webhooks.pool) if "webhook" in finding.check] == []


def _paths() -> str:
    tests = Path(__file__).parents[1]
    return f"{tests}:{tests.parent / 'src'}"
