"""Fixtures of the worker's tests."""

from pathlib import Path

import pytest

from lake.tables import Lake
from tests.lake.kit import make_lake
from tests.stream.redrives import fill_quarantine


@pytest.fixture
def empty_lake(tmp_path: Path) -> Lake:
    """Return a lake without records."""
    return make_lake(tmp_path)


@pytest.fixture
def quarantined_lake(tmp_path: Path) -> Lake:
    """Return a lake with four quarantined records."""
    return fill_quarantine(tmp_path)
