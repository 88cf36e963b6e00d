"""Fixtures for all tests: the real servers, logging as it was; and how hypothesis draws."""

import gc
import logging
import sys
import threading
from collections.abc import Generator, Iterator

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
    """Leave what is collected out of garbage collection: each pass would visit all of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Let the end of the process free everything: libraries report what is left."""
    gc.unfreeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of tests in the order in which they shall run."""
    items[:] = in_run_order(items)


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """A command that a test runs in this process sets up logging, to a stream that is closed later.

    Whatever logs after that test would fail, in a thread without anybody to see it.
    """
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = list(root.handlers), root.level
    yield
    if (sys.excepthook, threading.excepthook) != hooks:
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
