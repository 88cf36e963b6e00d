"""`lake verify` finds what is wrong, and finds nothing where nothing is."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from lake.commit import commit
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourceRange
from lake.table_commit import Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import adopted_app, position_app
from lake.tables import Lake, Table
from lake.verify import verify_lake
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    START,
    TOPIC,
    At,
    append,
    commit_context,
    make_lake,
    put,
    rows,
    set_aside,
    span,
)

Break = Callable[[Lake], None]


def flush(
    lake: Lake,
    start: int | None,
    end: int,
    bad: set[int] = frozenset(),  # type: ignore[assignment]
    token: int = 1,
) -> None:
    """Bring the records ``[start, end)`` into the lake, quarantine first."""
    set_aside(lake, start, end, bad, token=token)
    append(lake.table("feedback"), start, end, quarantined=bad, token=token)


def write(
    table: Table,
    start: int | None,
    item: SourceRange,
    stored: list[int],
    *,
    to: int | None = None,
    kind: EntryKind = EntryKind.FLUSH,
) -> None:
    """Commit a range that need not be true, with the rows at these offsets."""
    found = [At(item.partition, offset) for offset in stored]
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(kind, [item], {TOPIC: HERE}),
            token=77,
            moves=[Move(position_app(item.source), start, item.end if to is None else to)],
            adds=put(table, [rows(found, table=table.name)], item) if stored else [],
        ),
        commit_context(),
    )


@pytest.fixture
def flushed_lake(tmp_path: Path) -> Lake:
    """Ten records in two flushes, of which three are set aside."""
    lake = make_lake(tmp_path)
    flush(lake, None, 6, {1, 4})
    flush(lake, 6, 10, {8})
    return lake


def test_a_sound_lake(flushed_lake: Lake) -> None:
    """Every partition is listed with where its records went."""
    report = verify_lake(flushed_lake, deep=True)
    assert report.ok
    assert [proof.to_json() for proof in report.partitions] == [
        {
            "topic": TOPIC,
            "partition": 0,
            "from": 0,
            "to": 10,
            "consumed": 10,
            "found": 10,
            "stored": 7,
            "quarantined": 3,
            "dropped": 0,
            "skipped": 0,
            "expired": 0,
            "erased": 0,
            "epochs": [],
        }
    ]


def test_an_empty_lake(tmp_path: Path) -> None:
    """Nothing is wrong where nothing is."""
    assert verify_lake(make_lake(tmp_path), deep=True).to_json() == {
        "ok": True,
        "partitions": [],
        "problems": [],
        "versions": dict.fromkeys(TABLE_LAYOUTS, 0),
        "files": {"hashed": 0, "unproved": 0, "unproved_paths": [], "not_chosen": 0},
    }


def test_quarantine_one_flush_ahead(flushed_lake: Lake) -> None:
    """A worker is between its two commits, or died there: that is no loss."""
    set_aside(flushed_lake, 10, 15, {11, 12})
    assert verify_lake(flushed_lake, deep=True).problems == []


def test_offsets_that_kafka_skips(flushed_lake: Lake) -> None:
    """Markers and compaction are counted, and are no gap."""
    set_aside(flushed_lake, 10, 20, set())
    item = span(10, 20, consumed=8, stored=8, skipped={"absent": 2})
    write(flushed_lake.table("feedback"), 10, item, list(range(10, 18)))
    assert verify_lake(flushed_lake, deep=True).problems == []


def gap(lake: Lake) -> None:
    """Leave offsets out."""
    set_aside(lake, 10, 20, set())
    write(lake.table("feedback"), 10, span(12, 20), list(range(12, 20)))


def overlap(lake: Lake) -> None:
    """Cover offsets again."""
    set_aside(lake, 10, 12, set())
    write(lake.table("feedback"), 10, span(8, 12), [8, 9, 10, 11])


def uneven(lake: Lake) -> None:
    """Consume more than went anywhere."""
    set_aside(lake, 10, 12, set())
    write(lake.table("feedback"), 10, span(10, 12, stored=1), [10])


def unaccounted(lake: Lake) -> None:
    """Cover more offsets than were consumed or skipped."""
    set_aside(lake, 10, 13, set())
    write(lake.table("feedback"), 10, span(10, 13, consumed=2, stored=2), [10, 11])


def too_few_rows(lake: Lake) -> None:
    """Delete rows behind goldpan's back."""
    table = lake.table("feedback")
    table.refresh()
    table.handle.delete("_offset = 3")


def elsewhere(lake: Lake) -> None:
    """Move the position without a range."""
    write(lake.table("feedback"), 10, span(10, 12), [], to=15, kind=EntryKind.CLAIM)


def none_aside(lake: Lake) -> None:
    """Say that records were set aside which quarantine has not."""
    set_aside(lake, 10, 12, set())
    write(lake.table("feedback"), 10, span(10, 12, quarantined=1), [10])


def taken_away(lake: Lake) -> None:
    """Delete rows of quarantine behind goldpan's back."""
    table = lake.table("quarantine")
    table.refresh()
    table.handle.delete("_offset = 4")


def behind(lake: Lake) -> None:
    """Commit the primary table first."""
    append(lake.table("feedback"), 10, 12)


def half_redriven(lake: Lake) -> None:
    """Bring a record in and leave it in quarantine."""
    item = SourceRange(TOPIC, 0, 0, 0, stored=1, quarantined=1)
    table = lake.table("feedback")
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.REDRIVE, [item]),
            token=5,
            moves=[Move(f"{TOPIC}#redrive", None, 1)],
            adds=put(table, [rows([At(0, 4)])], item),
        ),
        commit_context(),
    )


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (gap, "2 offsets from 10 are in no commit"),
        (overlap, "2 offsets from 8 were committed twice"),
        (uneven, "consumed 2 records, but stored 1, quarantined 0 and dropped 0"),
        (unaccounted, "3 offsets, but consumed 2 and skipped 0"),
        (too_few_rows, "holds 6 rows, but its commits account for 7"),
        (elsewhere, "is 15, but its commits end at 10"),
        (none_aside, "4 records were rejected, but quarantine holds 3"),
        (taken_away, "table quarantine holds 2 rows, but its commits account for 3"),
        (behind, "the position in quarantine is 10, behind 12"),
        (
            half_redriven,
            "1 records were moved from quarantine to their table, but 0 were removed",
        ),
    ],
)
def test_damage_is_found_in_the_log(flushed_lake: Lake, damage: Break, says: str) -> None:
    """Each kind of damage is named, without a row being read."""
    damage(flushed_lake)
    report = verify_lake(flushed_lake)
    assert not report.ok
    assert any(says in problem for problem in report.problems), report.problems


def doubled(lake: Lake) -> None:
    """Bring a record in instead of another one."""
    set_aside(lake, 10, 12, set())
    write(lake.table("feedback"), 10, span(10, 12), [3, 10])


def in_both(lake: Lake) -> None:
    """Store a record that is in quarantine, instead of another one."""
    set_aside(lake, 10, 12, set())
    write(lake.table("feedback"), 10, span(10, 12), [4, 10])


def beyond(lake: Lake) -> None:
    """Store a record that no range covers, instead of another one."""
    set_aside(lake, 10, 12, set())
    write(lake.table("feedback"), 10, span(10, 12), [10, 99])


def exchanged(lake: Lake) -> None:
    """Set another record aside than the one that was counted."""
    set_aside(lake, 10, 12, {55})
    write(lake.table("feedback"), 10, span(10, 12, quarantined=1), [10])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (doubled, f"1 records are there more than once, such as {TOPIC}/0@3"),
        (in_both, f"1 records are there more than once, such as {TOPIC}/0@4"),
        (beyond, "table feedback holds rows that no commit covers"),
        (exchanged, "4 records should be in quarantine, but it holds 3 of them"),
    ],
)
def test_damage_that_only_the_rows_show(flushed_lake: Lake, damage: Break, says: str) -> None:
    """The sums are right, the coordinates are not: that is what `--deep` is for."""
    damage(flushed_lake)
    assert verify_lake(flushed_lake).problems == []
    assert any(says in problem for problem in verify_lake(flushed_lake, deep=True).problems)


def test_another_incarnation_begins_a_new_chain(flushed_lake: Lake) -> None:
    """Offsets begin anew, some of them for the second time; all laws go on holding."""
    anew = Incarnation("cluster", "topic-2")
    later = START + timedelta(days=1)
    for name in ("quarantine", "feedback"):
        table = flushed_lake.table(name)
        commit(
            table,
            TableCommit(
                entry=LedgerEntry(EntryKind.ADOPT, [SourceRange(TOPIC, 0, 2, 2)], {TOPIC: anew}),
                token=3,
                moves=[Move(position_app(SOURCE), 10, 2), Move(adopted_app(TOPIC), None, 1)],
            ),
            commit_context(),
        )
    assert verify_lake(flushed_lake, deep=True).problems == []
    set_aside(flushed_lake, 2, 5, {2, 4}, incarnation=anew, ingested_at=later)
    append(
        flushed_lake.table("feedback"),
        2,
        5,
        quarantined={2, 4},
        incarnations={TOPIC: anew},
        ingested_at=later,
    )
    report = verify_lake(flushed_lake, deep=True)
    assert report.problems == []
    assert [(proof.end, proof.stored, proof.quarantined) for proof in report.partitions] == [
        (5, 8, 5)
    ]


def test_partitions_are_told_apart(flushed_lake: Lake) -> None:
    """A problem names its partition; the others are not held to be wrong."""
    set_aside(flushed_lake, None, 4, set(), source=OTHER)
    append(flushed_lake.table("feedback"), None, 4, source=OTHER)
    gap(flushed_lake)
    problems = verify_lake(flushed_lake, deep=True).problems
    assert problems
    assert all(f"{TOPIC}/0" in problem for problem in problems)
