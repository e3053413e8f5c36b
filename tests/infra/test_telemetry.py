"""Logs are JSON, know the request, and hold no secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from fullhouse.infra.outbox import request_id
from fullhouse.infra.telemetry import configure_logging, counter, get_log, render_metrics

API_KEY = "fh_" + "Ab1-" * 13 + "xY"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_entry_is_one_line_of_json_with_the_request_id(lines: io.StringIO) -> None:
    token = request_id.set("request-9")
    get_log("orders").info("order_placed", order_id="o-1", note="two\nlines")
    request_id.reset(token)
    (entry,) = entries(lines)
    assert entry.pop("at").endswith("Z")
    assert entry == {
        "event": "order_placed",
        "level": "info",
        "logger": "orders",
        "order_id": "o-1",
        "note": "two\nlines",
        "request_id": "request-9",
    }


def test_libraries_log_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("asyncio").warning("took %s with %s", "long", f"Bearer {API_KEY}")
    (entry,) = entries(lines)
    assert (entry["event"], entry["level"], entry["logger"]) == (
        "took long with Bearer [removed]",
        "warning",
        "asyncio",
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"token": "canary"},
        {"secret": "canary"},
        {"authorization": "Order canary"},
        {"email": "canary@example.org"},
        {"headers": {"authorization": "canary"}},
        {"note": "Reservation canarycanarycanarycanary"},
        {"note": "Order canary_canary-canary-canary"},
        {"url": "postgresql://ana:canary@db.example/fullhouse"},
        {"list": [{"code": "canary"}]},
    ],
)
def test_what_is_named_or_shaped_like_a_secret_is_removed(lines: io.StringIO, facts: dict[str, Any]) -> None:
    get_log("x").info("something", **facts)
    assert "canary" not in lines.getvalue()
    assert "[removed]" in lines.getvalue()


def refuse(password: str) -> None:
    raise RuntimeError(f"refused {API_KEY} of {len(password)}")


def test_tracebacks_are_logged_without_secrets_and_without_variables(lines: io.StringIO) -> None:
    password = f"sword-{len(API_KEY)}-fish"
    try:
        refuse(password)
    except RuntimeError:
        get_log("x").exception("broken")
    (entry,) = entries(lines)
    assert "RuntimeError: refused [removed] of 13" in entry["exception"]
    assert API_KEY not in lines.getvalue()
    assert password not in lines.getvalue()


def test_less_than_the_level_is_not_logged(lines: io.StringIO) -> None:
    get_log("x").debug("detail")
    logging.getLogger("uvicorn.error").info("started")
    assert lines.getvalue() == ""


def test_text_for_people(lines: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logging("info", "text", stream)
    get_log("x").info("order_placed", order_id="o-1", token="canary")
    assert "order_placed" in stream.getvalue()
    assert "canary" not in stream.getvalue()
    assert lines.getvalue() == ""


def test_metrics_carry_the_name_of_the_product() -> None:
    counter("test_things", "Things of a test.", ["kind"]).labels("a").inc(2)
    assert 'fullhouse_test_things_total{kind="a"} 2.0' in render_metrics().decode()
