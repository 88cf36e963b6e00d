"""The commands of `docs/upgrade.md`, in their order, on a lake without this version's columns."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from goldpan.cli.main import run_command
from schemas.arrow import TABLES
from tests.docs.pages import read_page
from tests.servers.worker import TEST_KEY

PAGE = read_page("docs/upgrade.md")
ADDED = ("p_fail_low", "p_fail_high")
"""The columns that version 0.2.0 adds to the table `labels`."""


@pytest.fixture
def _old_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake as version 0.1.0 made it."""
    for name, table in TABLES.items():
        columns = pa.schema(f for f in table.arrow if name != "labels" or f.name not in ADDED)
        folder = str(tmp_path / "lake" / name)
        DeltaTable.create(folder, columns, name=name, partition_by=["event_date"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)


@pytest.mark.usefixtures("_old_lake")
def test_the_commands_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Each ends with 0; the upgrade adds the columns that the page names."""
    lines = re.findall(r"^ {3}goldpan (lake .*)$", PAGE, re.MULTILINE)
    steps = [line.partition("#")[0].split() for line in lines]
    assert len(steps) == 5
    for arguments in steps:
        assert run_command(arguments) == 0, arguments
    printed = capsys.readouterr().out
    assert all(f"`{name}`" in PAGE and name in printed for name in ADDED)
