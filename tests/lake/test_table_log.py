"""The catalogue of a table's log is whole, and its page is written from it."""

from pathlib import Path
from typing import Any

import pytest

from lake.delta_log import read_actions
from lake.ledger import SourcePartition
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import (
    APP_ID_KINDS,
    METADATA_KEYS,
    adopted_app,
    claim_app,
    epoch_app,
    epoch_at_app,
    event_time_app,
    incarnation_app,
    late_app,
    position_app,
    produced_app,
    promoting_app,
    redrive_app,
    replay_app,
    retention_app,
    token_app,
)
from lake.table_log_docs import render_table_log_page
from tests.tampering.scene import make

SOURCE = SourcePartition("llm.traces", 3)
PAGE = Path(__file__).parents[2] / "docs" / "table-log.md"


def test_the_page_is_written_from_the_catalogue() -> None:
    """docs/table-log.md is what ``python -m lake.table_log_docs`` writes."""
    assert PAGE.read_text(encoding="utf-8") == render_table_log_page()


@pytest.mark.parametrize(
    ("app_id", "text"),
    [
        (position_app(SOURCE), "llm.traces/3"),
        (token_app(position_app(SOURCE)), "llm.traces/3#by"),
        (claim_app(SOURCE), "llm.traces/3#claim"),
        (late_app(SOURCE), "llm.traces/3#late"),
        (epoch_app(SOURCE), "llm.traces/3#epoch"),
        (epoch_at_app(SOURCE), "llm.traces/3#epoch_at"),
        (incarnation_app("llm.traces"), "llm.traces#incarnation"),
        (adopted_app("llm.traces"), "llm.traces#adopted"),
        (event_time_app(SOURCE), "llm.traces/3#seen"),
        (produced_app(SOURCE), "llm.traces/3#produced"),
        (redrive_app("llm.traces"), "llm.traces#redrive"),
        (promoting_app("llm.traces"), "llm.traces#promoting"),
        (replay_app(7), "#replay/7"),
        (retention_app("rows"), "#retention/rows"),
    ],
)
def test_ids_on_disk_stay_as_they_are(app_id: str, text: str) -> None:
    """Lakes of earlier versions hold these texts, and each is of one kind only."""
    assert app_id == text
    assert sum(kind.matches(app_id) for kind in APP_ID_KINDS) == 1 or "#by" in app_id


def test_a_lake_holds_nothing_else(tmp_path: Path) -> None:
    """Whatever is in the logs of a lake is in the catalogue."""
    lake = make(tmp_path)
    keys = {entry.key for entry in METADATA_KEYS}
    for name in TABLE_LAYOUTS:
        table = lake.table(name)
        for version in range(table.handle.version() + 1):
            for txn in read_actions(table.files, version, "txn") or []:
                assert any(kind.matches(txn["appId"]) for kind in APP_ID_KINDS), txn
            infos: list[Any] = list(read_actions(table.files, version, "commitInfo") or [])
            assert {key for info in infos for key in info if key.startswith("goldpan")} <= keys
