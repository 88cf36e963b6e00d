"""Fixtures for all tests: the real servers; and how hypothesis draws."""

import pytest
from hypothesis import HealthCheck, settings

from tests.run_order import in_run_order

pytest_plugins = ["tests.servers.fixtures"]

# A test says nothing about time, so that a busy machine fails none.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of tests in the order in which they shall run."""
    items[:] = in_run_order(items)
