"""Fixtures for all tests: the real servers, logging as it was; and how hypothesis draws."""

import atexit
import gc
import logging
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.run_order import in_run_order

pytest_plugins = ["tests.servers.fixtures"]

# A test says nothing about time, so that a busy machine fails none.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is collected out of garbage collection: each pass would visit all of it.

    The end of the process frees it, as libraries report what is left; pytest's own last passes
    are before that.
    """
    atexit.register(gc.unfreeze)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of tests in the order in which they shall run."""
    items[:] = in_run_order(items)


class LoggingState(NamedTuple):
    """How logging is set up, and what happens to errors that nobody catches."""

    handlers: Sequence[logging.Handler]
    level: int
    hooks: tuple[object, object]

    @classmethod
    def now(cls) -> "LoggingState":
        """Return the state at this moment."""
        root = logging.getLogger()
        return cls(tuple(root.handlers), root.level, (sys.excepthook, threading.excepthook))

    def restore(self) -> None:
        """Set everything up as it was."""
        root = logging.getLogger()
        root.handlers[:] = self.handlers
        root.setLevel(self.level)
        sys.excepthook, threading.excepthook = self.hooks  # type: ignore[assignment]
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def first_logging() -> LoggingState:
    """How logging is before any test."""
    return LoggingState.now()


@pytest.fixture(autouse=True)
def restored_logging(first_logging: LoggingState) -> Iterator[None]:
    """A command that a test runs in this process sets up logging, to a stream that is closed later.

    Whatever logs after that test would fail, in a thread without anybody to see it.
    """
    yield
    if LoggingState.now().hooks != first_logging.hooks:
        first_logging.restore()
