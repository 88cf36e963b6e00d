"""Fixtures for all tests: the real servers; and how hypothesis draws."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures"]

# A test says nothing about time, so that a busy machine fails none.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
