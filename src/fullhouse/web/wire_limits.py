"""The limits of the connections of one process, and what it serves before there is a request for the framework."""

from dataclasses import dataclass, field

from fullhouse.web.express import Express
from fullhouse.web.overload import Gate
from fullhouse.web.targets import Target, Targets
from fullhouse.web.turns import Turns


@dataclass(frozen=True, slots=True)
class WireLimits:
    """The limits of the connections of one process.

    ``head_seconds_max`` counts from the connection, or from the first bytes of a later request, to the end of its
    head; ``answer_seconds_max`` is how long a client may leave an answer unread once the buffers are full.
    """

    connections_max: int
    body_bytes_max: int
    is_https: bool
    head_seconds_max: float = 15.0
    answer_seconds_max: float = 60.0
    gate: Gate = field(default_factory=Gate)
    """Who is refused before anything reads what they ask for."""
    turns: Turns = field(default_factory=Turns)
    """When they are told so."""
    at_once: Targets = field(default_factory=dict[bytes, Target])
    express: Express | None = None
    """The first lines of requests that are served at once, and what answers some of them at a glance."""
