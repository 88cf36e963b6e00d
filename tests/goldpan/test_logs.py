"""Logs: one JSON object a line, and no content of any record."""

import io
import json
import logging
import threading
import warnings
from typing import Any

import pytest
import structlog

from goldpan import logs
from goldpan.settings import LogSettings
from schemas.errors import FatalError

SECRET = "mia.li@example.com"


@pytest.fixture
def out() -> io.StringIO:
    """Logs go here as JSON."""
    stream = io.StringIO()
    logs.configure_logging(LogSettings(format="json"), stream)
    return stream


def _entries(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_has_name_level_and_time(out: io.StringIO) -> None:
    """Whoever collects the logs finds the same three keys in every line."""
    structlog.get_logger().info("flush_committed", records=3)
    (entry,) = _entries(out)
    assert (entry["event"], entry["level"], entry["records"]) == ("flush_committed", "info", 3)
    assert entry["timestamp"].endswith("Z")


def test_less_important_events_are_left_out(out: io.StringIO) -> None:
    """The level of the settings holds."""
    logs.configure_logging(LogSettings(level="warning", format="json"), out)
    structlog.get_logger().info("flush_committed")
    structlog.get_logger().warning("step_retried")
    assert [entry["event"] for entry in _entries(out)] == ["step_retried"]


def test_foreign_exception_is_named_without_its_text(out: io.StringIO) -> None:
    """An exception of a library may quote what it was given: only type and place are written."""
    try:
        int(SECRET)
    except ValueError:
        structlog.get_logger().error("worker_failed", exc_info=True)
    (entry,) = _entries(out)
    assert entry["error_type"] == "ValueError"
    assert entry["error_at"].startswith("goldpan/test_logs.py:")
    assert SECRET not in out.getvalue()


def test_own_exception_keeps_its_sentence(out: io.StringIO) -> None:
    """What goldpan raises itself holds coordinates only, and helps."""
    structlog.get_logger().error("worker_failed", exc_info=FatalError("topic t is not there"))
    assert _entries(out)[0]["error"] == "topic t is not there"


def test_words_of_libraries_are_left_out(out: io.StringIO) -> None:
    """A warning from elsewhere is noticed, with its origin, and its text is not repeated."""
    logging.getLogger("presidio").warning("cannot handle %s", SECRET)
    warnings.warn(f"odd value {SECRET}", stacklevel=1)
    entries = _entries(out)
    assert [entry["event"] for entry in entries] == ["library_message"] * 2
    assert [entry["logger"] for entry in entries] == ["presidio", "py.warnings"]
    assert SECRET not in out.getvalue()


def test_a_thread_that_dies_tells_no_content(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python would print the exception's text to standard error; instead it is logged without."""
    thread = threading.Thread(target=int, args=(SECRET,), name="flusher")
    thread.start()
    thread.join()
    (entry,) = _entries(out)
    assert (entry["event"], entry["thread"]) == ("thread_crashed", "flusher")
    assert SECRET not in out.getvalue() + capsys.readouterr().err


def test_every_own_event_is_explained() -> None:
    """The events that this module logs by itself are in its list."""
    assert set(logs.EVENTS) == {"library_message", "process_crashed", "thread_crashed"}
