"""A Lambda runtime API on loopback, and functions that awslambdaric runs against it, as AWS does."""

import json
import queue
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from harness.processes import WAIT_SECONDS_MAX, clean_environment

CALL_SECONDS = 60


class FunctionError(Exception):
    """The function raised, or could not be loaded; the text is what it told the runtime API."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a function that was killed while it waited for its next call."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class LambdaFunction:
    """One instance of a function: the process, and the server from which it takes its calls."""

    def __init__(self, handler: str, settings: Mapping[str, str], log: Path, python: Sequence[str]) -> None:
        self.calls: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.server = _Server(("127.0.0.1", 0), _api_of(self))
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*python, "-m", "awslambdaric", handler],
                env={
                    **clean_environment(**settings),
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
                    "AWS_LAMBDA_FUNCTION_NAME": handler.rpartition(".")[0].rpartition(".")[2],
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def call(self, event: Any) -> Any:
        """Call the function and return its answer. Raises ``FunctionError``."""
        self.calls.put((str(uuid4()), json.dumps(event).encode()))
        try:
            answer = self.answers.get(timeout=WAIT_SECONDS_MAX)
        except queue.Empty:
            raise AssertionError(self.text()) from None
        if isinstance(answer, FunctionError):
            raise answer
        return answer

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def running_function(
    handler: str, settings: Mapping[str, str], folder: Path, python: Sequence[str] = (sys.executable,)
) -> Generator[LambdaFunction]:
    """Run one instance of a function until the block ends."""
    function = LambdaFunction(handler, settings, folder / f"{uuid4().hex}.log", python)
    try:
        yield function
    finally:
        function.end()


def _api_of(function: LambdaFunction) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Give the next call to the function; wait until there is one."""
            call_id, body = function.calls.get()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", call_id)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + CALL_SECONDS) * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Take an answer or an error."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.endswith("/response"):
                function.answers.put(json.loads(body or b"null"))
            else:
                function.answers.put(FunctionError(body.decode()))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
            del format, args

    return RuntimeApi
