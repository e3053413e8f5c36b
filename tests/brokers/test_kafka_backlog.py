"""What a consumer of Kafka lends, and where the next one goes on, whatever was finished in whatever order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from harness.messages import message
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.core.message import Message
from fullhouse.infra.brokers.kafka_backlog import TEXT_LENGTH_MAX, Backlog, Progress, Waiting, read_progress

KEYS = [UUID(int=number) for number in range(4)]


def entry(offset: int, key: UUID | None = None, partition: int = 0) -> Waiting:
    return Waiting(partition, offset, message(key), {}, attempts=0, due_at=0.0)


def backlog_of(*entries: Waiting, progress: Progress | None = None) -> Backlog:
    backlog = Backlog()
    backlog.assign({0: progress or Progress(0)})
    for one in entries:
        backlog.enter(one)
    return backlog


def offsets(taken: list[Waiting]) -> list[int]:
    return [one.offset for one in taken]


def test_one_message_of_each_key_is_lent_in_the_order_of_their_coming() -> None:
    backlog = backlog_of(entry(0, KEYS[0]), entry(1, KEYS[0]), entry(2, KEYS[1]), entry(3, KEYS[2]))
    taken = backlog.take(2, 0.0, 10.0)
    assert offsets(taken) == [0, 2]
    assert offsets(backlog.take(9, 0.0, 10.0)) == [3]
    backlog.finish(taken[0])
    assert offsets(backlog.take(9, 0.0, 10.0)) == [1]


def test_lease_that_ran_out_is_lent_again_under_another_token() -> None:
    backlog = backlog_of(entry(0))
    (first,) = backlog.take(9, 0.0, 10.0)
    token = first.token
    assert token is not None
    assert backlog.take(9, 9.9, 10.0) == []
    assert backlog.lent(0, 0, token) is first
    (again,) = backlog.take(9, 10.0, 10.0)
    assert (again.attempts, backlog.lent(0, 0, token)) == (2, None)


def test_extended_lease_and_delay_keep_their_key_waiting() -> None:
    backlog = backlog_of(entry(0, KEYS[0]), entry(1, KEYS[0]), entry(2, KEYS[1]))
    first, other = backlog.take(9, 0.0, 10.0)
    backlog.extend(first, 50.0)
    backlog.give_back(other, 30.0)
    assert backlog.take(9, 29.9, 1.0) == []
    assert backlog.in_hand_until(29.9) == 50.0
    assert backlog.due_at() == 30.0
    assert offsets(backlog.take(9, 30.0, 1000.0)) == [2]
    assert offsets(backlog.take(9, 50.0, 1000.0)) == [0]


def test_message_that_waits_is_not_entered_twice_but_may_come_again_when_it_is_finished() -> None:
    sent = message()
    backlog = backlog_of(*(Waiting(0, offset, sent, {}, attempts=0, due_at=0.0) for offset in range(2)))
    (taken,) = backlog.take(9, 0.0, 10.0)
    assert backlog.count(0) == 1
    backlog.finish(taken)
    assert backlog.changed() == {0: Progress(2, 2)}
    backlog.enter(Waiting(0, 2, sent, {}, attempts=0, due_at=0.0))
    assert offsets(backlog.take(9, 0.0, 10.0)) == [2]


def test_who_goes_on_begins_at_the_first_unfinished_and_passes_over_the_finished_ones() -> None:
    backlog = backlog_of(*(entry(offset) for offset in range(5)))
    taken = backlog.take(9, 0.0, 10.0)
    for offset in (1, 3):
        backlog.finish(taken[offset])
    progress = backlog.changed()[0]
    assert (progress.low, progress.edge, progress.waiting, progress.done_count()) == (0, 4, {0, 2}, 2)
    assert backlog.changed() == {}

    told = read_progress(progress.low, progress.write())
    assert told == progress
    again = backlog_of(progress=told)
    for offset in range(5):
        if again.is_done(0, offset):
            again.skip(0, offset)
        else:
            again.enter(entry(offset))
    assert [(one.offset, one.attempts) for one in again.take(9, 0.0, 10.0)] == [(0, 2), (2, 2), (4, 2)]


def test_commit_before_all_is_fetched_again_keeps_what_was_known_of_the_rest() -> None:
    backlog = backlog_of(entry(0), progress=Progress(0, 6, frozenset({0, 2, 4}), {0: 1, 4: 3}))
    (taken,) = backlog.take(9, 0.0, 10.0)
    assert taken.attempts == 2
    backlog.finish(taken)
    assert backlog.changed() == {0: Progress(2, 6, frozenset({2, 4}), {4: 3})}


def test_what_another_tool_wrote_beside_an_offset_means_nothing() -> None:
    for text in ("", "null", "[]", "{}", '{"edge":"x","waiting":[],"attempts":{}}', "reset by hand"):
        assert read_progress(7, text) == Progress(7)


def test_progress_that_does_not_fit_is_cut_so_that_finished_messages_come_again_but_none_is_lost() -> None:
    waiting = frozenset(range(0, 20_000, 2))
    progress = Progress(0, 20_000, waiting, dict.fromkeys(range(0, 2000, 2), 3))
    text = progress.write()
    told = read_progress(0, text)
    assert len(text) <= TEXT_LENGTH_MAX
    assert told.done_count() > 100
    assert not any(told.is_done(offset) for offset in waiting)


def test_partition_that_is_taken_away_takes_its_messages_along() -> None:
    backlog = backlog_of(entry(0))
    (taken,) = backlog.take(9, 0.0, 10.0)
    assert taken.token is not None
    backlog.assign({1: Progress(4)})
    assert (backlog.lent(0, 0, taken.token), backlog.due_at(), list(backlog.partitions)) == (None, None, [1])
    assert backlog.next_offset(1) == 4


steps = st.lists(st.tuples(st.sampled_from("take finish give_back expire restart".split()), st.integers(0, 9)))


@given(keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=20), plan=steps)
def test_any_history_finishes_every_message_in_the_order_of_its_key(
    keys: list[UUID], plan: list[tuple[str, int]]
) -> None:
    """Takes, finishes, delays, lost leases and takeovers at any moment, then everything that is left."""
    log = [message(key) for key in keys]
    done: list[int] = []
    now = 0.0
    backlog = resumed(log, Progress(0))
    hand: list[Waiting] = []
    for act, choice in [*plan, *[("take", 9), ("expire", 0), ("finish", 0)] * 3 * len(keys)]:
        if act == "take":
            hand += backlog.take(choice, now, 10.0)
        elif act == "expire":
            now, hand = now + 20.0, []
            hand += backlog.take(9, now, 10.0)
        elif act == "restart":
            backlog, hand = resumed(log, told_progress(backlog)), []
        elif hand:
            one = hand.pop(choice % len(hand))
            if act == "finish":
                backlog.finish(one)
                done.append(one.offset)
            else:
                backlog.give_back(one, now + choice)
    assert sorted(done) == list(range(len(keys)))
    for key in KEYS:
        mine = [offset for offset in done if keys[offset] == key]
        assert mine == sorted(mine)


def told_progress(backlog: Backlog) -> Progress:
    backlog.mark_changed([0])
    progress: Mapping[int, Progress] = backlog.changed()
    return read_progress(progress[0].low, progress[0].write())


def resumed(log: Sequence[Message], progress: Progress) -> Backlog:
    backlog = backlog_of(progress=progress)
    for offset in range(progress.low, len(log)):
        if backlog.is_done(0, offset):
            backlog.skip(0, offset)
        else:
            backlog.enter(Waiting(0, offset, log[offset], {}, attempts=0, due_at=0.0))
    return backlog
