"""One lake for all tests that only read it."""

from pathlib import Path

import pytest

from lake.tables import Lake
from tests.batch.release.kit import built
from tests.batch.release.world import conversations, labels_for, make_lake


@pytest.fixture(scope="session")
def conversation_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Real conversations, eight times each, half of the traces with a label."""
    traces = conversations(8)
    return make_lake(tmp_path_factory.mktemp("release") / "lake", traces, labels_for(traces))


@pytest.fixture(scope="session")
def published_release(tmp_path_factory: pytest.TempPathFactory, conversation_lake: Lake) -> Path:
    """A folder with one published release."""

    folder = tmp_path_factory.mktemp("published")
    built(conversation_lake, folder)
    return folder
