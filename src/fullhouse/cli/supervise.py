"""Keeps the processes of one Fullhouse running, and stops them together.

Children live in process groups of their own, so that Ctrl-C reaches this process alone and requests in flight can
finish; the kernel ends them if this process dies.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

import click

from fullhouse.infra.embedded import child as launcher
from fullhouse.infra.errors import OperatorError

LOOK_SECONDS = 0.1
FAILURES_MAX = 5
HEALTHY_SECONDS = 30.0
DELAY_SECONDS_MAX = 5.0
OPERATOR_MUST_ACT = 2


class Server(Protocol):
    """An embedded server."""

    def is_running(self) -> bool:
        """Say whether it is still there."""
        ...

    def restart(self) -> None:
        """Start it again on the same data and address."""
        ...


@dataclass
class Child:
    """One process of the product, started again when it dies."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    descriptors: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float | None = None
    failures: int = 0

    def start(self) -> None:
        """Start the process; it gets SIGTERM when this process dies."""
        command = [str(os.getpid()), str(int(signal.SIGTERM)), "-", "same"]
        command += [sys.executable, "-m", "fullhouse.cli.main", *self.arguments]
        self.process = subprocess.Popen(  # noqa: S603  # this program itself
            [sys.executable, "-I", "-S", launcher.__file__, *command],
            stdin=subprocess.DEVNULL,
            env=self.environment,
            pass_fds=self.descriptors,
            process_group=0,
        )
        self.started_at, self.start_again_at = time.monotonic(), None

    def look(self) -> None:
        """Start the process again if it died; raise ``OperatorError`` if that has become pointless."""
        now = time.monotonic()
        if self.start_again_at is not None:
            if now >= self.start_again_at:
                self.start()
        elif self.process is not None and self.process.poll() is not None:
            self._note_death(self.process.returncode, now)

    def _note_death(self, code: int, now: float) -> None:
        self.failures = 1 if now - self.started_at > HEALTHY_SECONDS else self.failures + 1
        if code == OPERATOR_MUST_ACT or self.failures > FAILURES_MAX:
            raise OperatorError(f"the {self.name} does not run (exit code {code}); its last lines above say why")
        delay = min(DELAY_SECONDS_MAX, LOOK_SECONDS * 2**self.failures)
        click.echo(f"fullhouse: the {self.name} ended with exit code {code}; it starts again in {delay:g} s", err=True)
        self.start_again_at = now + delay


@dataclass
class StopRequests:
    """Turns the first Ctrl-C (or SIGTERM, or a closed terminal) into ``KeyboardInterrupt`` and counts the others."""

    count: int = 0

    def watch(self) -> None:
        """Take over the signals for the life of this process."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
        if self.count == 1:
            raise KeyboardInterrupt


@dataclass
class Supervisor:
    """The children and embedded servers of one ``fullhouse up`` or ``fullhouse api``."""

    grace_seconds: float
    stop_requests: StopRequests
    servers: dict[str, Server] = field(default_factory=dict[str, Server])
    children: list[Child] = field(default_factory=list[Child])

    def add(self, child: Child) -> None:
        """Start a child and watch over it from now on."""
        child.start()
        self.children.append(child)

    def look(self) -> None:
        """Start again what died. A server comes first: its clients would only fail."""
        for name, server in self.servers.items():
            if not server.is_running():
                click.echo(f"fullhouse: {name} died; it starts again on its data", err=True)
                server.restart()
        for each in self.children:
            each.look()

    def run(self) -> None:
        """Watch until a stop is asked for."""
        while True:
            self.look()
            time.sleep(LOOK_SECONDS)

    def stop_children(self) -> None:
        """Let all children finish what is in flight, for as long as the grace lasts or until asked a second time."""
        running = [each.process for each in self.children if each.process and each.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + self.grace_seconds
        while any(process.poll() is None for process in running):
            if time.monotonic() > until or self.stop_requests.count > 1:
                break
            time.sleep(LOOK_SECONDS / 5)
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()
