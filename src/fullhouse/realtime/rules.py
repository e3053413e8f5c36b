"""What a stream may be asked, how many there may be, and how one is refused. Pure."""

import re
from dataclasses import dataclass

from fullhouse.core.errors import TooMany, Unavailable

_POSITION = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The limits of the streams of one process."""

    connections_max: int = 5_000
    by_address_max: int | None = 200
    """For one address (IPv6: a /64); None for load tests."""
    seconds_max: float = 600.0
    """How long a stream lasts at most; its client connects again and goes on where it was."""


class TooManyStreams(Unavailable):
    """The process serves as many streams as it may."""

    code = "too_many_streams"
    title = "Very many people are watching at this moment; try again in a moment."


class TooManyStreamsFromAddress(TooMany):
    """The address watches as much as one address may; ``limit`` says how much."""

    code = "too_many_streams_from_address"
    title = "There are too many streams to this address."


def read_position(last_event_id: str | None) -> int | None:
    """Read the version that a client says it has; None for what is no version, so that it gets a snapshot."""
    text = (last_event_id or "").strip(" \t")
    return int(text) if _POSITION.fullmatch(text) else None
