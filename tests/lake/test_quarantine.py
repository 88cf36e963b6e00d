"""What was set aside can be counted, found, and taken out once."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake.exceptions import DeltaError

from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.quarantine import (
    QUARANTINE_COLUMNS,
    QuarantineFilter,
    remove_quarantined,
    summarize_quarantined,
)
from lake.quarantine import read_quarantined as found_rows
from lake.rewrite import replace_files
from lake.table_commit import TableCommit
from lake.tables import Table
from schemas.errors import FencedError
from tests.lake.kit import (
    OTHER,
    append,
    commit_context,
    make_lake,
    offsets,
    open_lake,
    patience,
    rows,
)

TOPIC = "it's"  # a quote in a topic's name is no way into the condition


@pytest.fixture
def quarantine_table(tmp_path: Path) -> Table:
    """Quarantine with five records of two topics."""
    table = make_lake(tmp_path).table("quarantine")
    append(table, None, 3)
    append(table, None, 2, source=OTHER)
    return table


def numbers(found: Any) -> list[tuple[int, int]]:
    """Return partitions and offsets."""
    return [(row["_partition"], row["_offset"]) for row in found.to_pylist()]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (QuarantineFilter(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]),
        (QuarantineFilter(topic="llm.feedback", partition=1), [(1, 0), (1, 1)]),
        (QuarantineFilter(offset=1), [(0, 1), (1, 1)]),
        (QuarantineFilter(reason="not_json", partition=0, offset=2), [(0, 2)]),
        (QuarantineFilter(reason="other"), []),
        (QuarantineFilter(topic="other"), []),
    ],
)
def test_a_filter_finds_what_it_says(
    quarantine_table: Table, which: QuarantineFilter, expected: list[tuple[int, int]]
) -> None:
    """In order of their coordinates."""
    assert numbers(found_rows(quarantine_table, which)) == expected


def test_the_payload_is_shown_to_nobody_who_does_not_ask(quarantine_table: Table) -> None:
    """A list shows where and why, never what."""
    assert (
        tuple(found_rows(quarantine_table, QuarantineFilter()).column_names) == QUARANTINE_COLUMNS
    )
    assert "sealed_payload" not in QUARANTINE_COLUMNS
    assert (
        "sealed_payload"
        in found_rows(quarantine_table, QuarantineFilter(), payload=True).column_names
    )


def test_a_summary_counts_by_reason() -> None:
    """The most frequent reason comes first."""
    batches = [
        rows([(0, 3)], table="quarantine", reason="too_large").value,
        rows([(0, 4), (1, 5)], table="quarantine").value,
    ]
    groups = summarize_quarantined(pa.Table.from_batches(batches))
    assert [(group["reason"], group["count_all"]) for group in groups] == [
        ("not_json", 2),
        ("too_large", 1),
    ]
    assert summarize_quarantined(pa.Table.from_batches(batches).slice(0, 0)) == []


def test_records_are_taken_out_once(quarantine_table: Table) -> None:
    """Those that are not there any more are not counted again, and no commit is made for none."""
    wanted = [(0, 1, None), (1, 0, None), (1, 9, None)]
    assert (
        remove_quarantined(
            quarantine_table, "llm.feedback", wanted, commit_context(new_token=lambda: 1)
        )
        == 2
    )
    assert (offsets(quarantine_table), offsets(quarantine_table, OTHER)) == ([0, 2], [1])
    version = quarantine_table.handle.version()
    assert (
        remove_quarantined(
            quarantine_table, "llm.feedback", wanted, commit_context(new_token=lambda: 2)
        )
        == 0
    )
    assert (
        remove_quarantined(quarantine_table, TOPIC, wanted, commit_context(new_token=lambda: 3))
        == 0
    )
    quarantine_table.refresh()
    assert quarantine_table.handle.version() == version


class LostReply:
    """A handle whose first commit lands and does not say so, or is overtaken before it lands."""

    def __init__(self, real: Any, before: Any = None) -> None:
        self._real = real
        self._before = before
        self.sent = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_write_transaction(self, *args: Any, **more: Any) -> None:
        """Commit, then fail, once."""
        self.sent += 1
        if self._before:
            before, self._before = self._before, None
            before()
        self._real.create_write_transaction(*args, **more)
        if self.sent == 1:
            raise DeltaError("no answer")


def test_a_lost_reply_is_settled_by_the_token(quarantine_table: Table) -> None:
    """The records are counted as taken out, once."""
    handle = LostReply(quarantine_table.handle)
    quarantine_table.handle = handle  # type: ignore[assignment]
    assert (
        remove_quarantined(
            quarantine_table, "llm.feedback", [(0, 1, None)], commit_context(new_token=lambda: 1)
        )
        == 1
    )
    assert handle.sent == 1
    quarantine_table.refresh()
    redriven = [one.entry for one in quarantine_table.ledger() if one.entry.kind == "redrive"]
    assert [entry.ranges[0].quarantined for entry in redriven] == [1]


def test_another_re_drive_at_the_same_time_is_fenced(
    quarantine_table: Table, tmp_path: Path
) -> None:
    """Of two that take out the same records, one does."""
    other = open_lake(tmp_path).table("quarantine")

    def overtake() -> None:
        assert (
            remove_quarantined(
                other, "llm.feedback", [(0, 1, None)], commit_context(new_token=lambda: 2)
            )
            == 1
        )

    quarantine_table.handle = LostReply(quarantine_table.handle, overtake)  # type: ignore[assignment]
    with pytest.raises(FencedError):
        remove_quarantined(
            quarantine_table,
            "llm.feedback",
            [(0, 1, None), (0, 2, None)],
            commit_context(new_token=lambda: 1),
        )
    assert offsets(other) == [0, 2]


def test_a_file_that_was_compacted_meanwhile_is_looked_at_again(
    quarantine_table: Table, tmp_path: Path
) -> None:
    """What is taken out is taken out of what is there when it happens."""
    other = open_lake(tmp_path).table("quarantine")
    handle = LostReply(quarantine_table.handle, lambda: rewrite_all(other))
    handle.sent = 1  # no reply is lost here
    quarantine_table.handle = handle  # type: ignore[assignment]
    assert (
        remove_quarantined(
            quarantine_table, "llm.feedback", [(0, 1, None)], commit_context(new_token=lambda: 1)
        )
        == 1
    )
    assert 1 not in offsets(other)


def test_the_file_that_is_left_holds_text_as_any_reader_expects_it(quarantine_table: Table) -> None:
    """A condition on text finds its rows without their being read first."""
    remove_quarantined(
        quarantine_table, "llm.feedback", [(0, 1, None)], commit_context(new_token=lambda: 1)
    )
    quarantine_table.refresh()
    dataset = quarantine_table.handle.to_pyarrow_dataset()
    assert dataset.count_rows(filter=pc.field("reason") == "not_json") > 0


def rewrite_all(table: Table) -> None:
    """Put all rows of a table into one file."""
    table.refresh()
    old = list_live_files(table)
    rows = concat_rows([read_file_rows(table, file) for file in old])
    new = rewrite_rows(table, rows, instead_of=old, retry=patience())
    wanted = TableCommit(
        entry=LedgerEntry(EntryKind.REDRIVE, []), token=77, removes=old, adds=[new], same_rows=True
    )
    replace_files(table, wanted, commit_context())
