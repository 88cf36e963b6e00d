"""Fixtures of the worker's tests."""

from pathlib import Path

import pytest

from lake.tables import Lake
from tests.lake.kit import make_lake


@pytest.fixture
def empty_lake(tmp_path: Path) -> Lake:
    """Return a lake without records."""
    return make_lake(tmp_path)
