"""Retention removes what the plan says, all of it and nothing else, beside other writers."""

import os
from datetime import date
from pathlib import Path

import pytest

from batch.compaction import compact_batches
from batch.compaction import plan_compaction as compaction
from batch.retention.purge import purge_table
from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, SEALED_PART, TEXT_PART, complete_from
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import RETENTION_KEY
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.assembly_columns import AssemblyFacts
from tests.batch.kit import put_assembled
from tests.batch.retention.kit import (
    TODAY,
    add_day,
    carried_out,
    everything,
    new_lake,
    open_lake,
    runs,
    said,
    table_rows,
    texts_on_disk,
    versions,
)
from tests.labels.kit import trace
from tests.lake.kit import commit_context, patience

KEPT = {said(day, what) for day in (3, 4, 5) for what in ("text", "user", "sealed")}
LEFT = KEPT | {said(2, "user")}
"""What is left of the planted texts on TODAY."""


@pytest.fixture
def six_days(tmp_path: Path) -> Lake:
    """Six days in every table."""
    return new_lake(tmp_path / "lake")


def aged(lake: Lake) -> None:
    """Let every file of a lake be old enough for a vacuum."""
    for path in Path(lake.location.uri).rglob("*.parquet"):
        os.utime(path, (0, 0))


def purged(lake: Lake) -> int:
    """Purge every table, a day after; return how many files went."""
    aged(lake)
    return sum(len(purge_table(table, keep_hours=1, retry=patience())) for table in lake.tables())


def test_what_is_over_goes_and_the_rest_stays(six_days: Lake) -> None:
    """Rows by days; of others the values, while tokens, cost, tools, roles and labels stay."""
    before = everything(six_days)
    carried_out(six_days)
    after = everything(open_lake(six_days.location.uri))
    for name in TABLE_LAYOUTS:
        days = {row["event_date"].day for row in after[name]}
        assert days == {2, 3, 4, 5, 6}, name
        kept = [row for row in before[name] if row["event_date"] >= date(2026, 11, 4)]
        assert [row for row in after[name] if row["event_date"] >= date(2026, 11, 4)] == kept
    (second, third) = (
        next(row for row in after["traces"] if row["event_date"].day == day) for day in (2, 3)
    )
    assert (second["user_id"], third["user_id"]) == (None, said(2, "user"))
    for row in (second, third):
        was = next(r for r in before["traces"] if r["trace_id"] == row["trace_id"])
        assert {row["response"], row["error_message"]} == {None}
        assert row["attributes"] == []
        assert [m["role"] for m in row["messages"]] == ["system", "user"]
        (called,) = row["messages"][1]["tool_calls"]
        assert called == {"id": "c", "name": "look_up", "arguments": ""}
        assert row["retrieved"] == [{"document_id": "d", "score": 0.5, "text": None}]
        (tool,) = row["tool_calls"]
        assert (tool["name"], tool["arguments"], tool["result"]) == ("look_up", "", None)
        for column in ("trace_id", "session_id", "cost_usd", "_offset", "_policy", "started_at"):
            assert row[column] == was[column]
    label = next(row for row in after["labels"] if row["event_date"].day == 2)
    assert (label["label"], label["expected_response"]) == ("fail", None)


def test_no_text_is_left_in_any_byte(six_days: Lake, tmp_path: Path) -> None:
    """After a purge neither data files, live or not, nor the logs hold a text that is over."""
    assert texts_on_disk(tmp_path) == {
        said(day, what) for day in range(6) for what in ("text", "user", "sealed")
    }
    carried_out(six_days)
    assert purged(six_days) > 0
    assert texts_on_disk(tmp_path) == LEFT
    assert purged(six_days) == 0
    assert verify_lake(open_lake(six_days.location.uri), deep=True).problems == []


def test_every_law_holds_and_verify_says_where_rows_went(six_days: Lake) -> None:
    """What was consumed is stored, in quarantine, or expired; the numbers are those of the rows."""
    carried_out(six_days)
    report = verify_lake(open_lake(six_days.location.uri), deep=True)
    assert report.problems == []
    told = {one.topic: one for one in report.partitions}
    traces, feedback = told["llm.traces"], told["llm.feedback"]
    assert (traces.consumed, traces.stored, traces.quarantined, traces.expired) == (24, 15, 5, 4)
    assert (feedback.stored, feedback.quarantined, feedback.expired) == (10, 5, 3)


def test_assembled_rows_expire_by_their_own_days(six_days: Lake) -> None:
    """Every revision, whichever is in force; the proof counts them for their shard."""
    facts = [AssemblyFacts(revision, "m") for revision in (1, 2)]
    put_assembled(six_days, [(trace("old"), each) for each in facts])
    put_assembled(six_days, [(trace("new", at=4 * 86_400), facts[0])], shard=3)
    carried_out(six_days)
    left = [row for row in table_rows(six_days, "traces") if row["revision"]]
    assert [row["trace_id"] for row in left] == ["new"]
    report = verify_lake(open_lake(six_days.location.uri), deep=True)
    assert report.problems == []
    counts = {p.partition: (p.stored, p.expired) for p in report.partitions if p.topic[0] == "#"}
    assert counts == {0: (0, 2), 3: (1, 0)}


def test_a_revision_that_was_replaced_is_not_in_force_again(six_days: Lake) -> None:
    """It goes with the row that replaced it, although its own day is kept."""
    late = [trace("over-midnight", at=at * 86_400, response=str(at)) for at in (2, 1)]
    facts = [AssemblyFacts(revision, "m") for revision in (1, 2)]
    put_assembled(six_days, list(zip(late, facts, strict=True)))
    carried_out(six_days)
    assert "over-midnight" in {row["trace_id"] for row in table_rows(six_days, "traces")}
    expired = carried_out(six_days, "tables: {traces: {rows: 18}}")
    assert [done.day.day for done in expired] == [2]
    assert "over-midnight" not in {row["trace_id"] for row in table_rows(six_days, "traces")}
    report = verify_lake(open_lake(six_days.location.uri), deep=True)
    assert report.problems == []
    assert carried_out(six_days, "tables: {traces: {rows: 18}}") == []


def test_a_second_run_changes_nothing(six_days: Lake) -> None:
    """No version is made, by the same plan or by one that keeps more."""
    carried_out(six_days)
    before = versions(six_days)
    assert carried_out(open_lake(six_days.location.uri)) == []
    assert carried_out(six_days, "tables: {traces: {rows: 300, text: 200}}") == []
    assert versions(six_days) == before


def test_the_days_that_are_whole_are_in_the_log(six_days: Lake) -> None:
    """Each table says from which day on; one where nothing has expired says nothing."""
    assert complete_from(six_days.table("traces"), ROWS_PART, TEXT_PART) is None
    carried_out(six_days, "tables: {traces: {text: 17}, quarantine: {sealed: 18}}")
    traces, quarantine = (six_days.table(name) for name in ("traces", "quarantine"))
    assert complete_from(traces, ROWS_PART, PSEUDONYMS_PART) is None
    assert complete_from(traces, TEXT_PART) == date(2026, 11, 4)
    assert complete_from(quarantine, SEALED_PART) == date(2026, 11, 3)
    assert complete_from(six_days.table("feedback"), ROWS_PART, TEXT_PART) is None


def test_a_dry_run_says_what_a_run_does(six_days: Lake) -> None:
    """The same days, parts, rows and bytes; and no version is made."""
    before = versions(six_days)
    would = [one for run in runs(six_days) for one in run.find_expiring()]
    assert versions(six_days) == before
    did = carried_out(six_days)
    assert [(d.table, d.day, dict(d.parts)) for d in did] == [
        (d.table, d.day, dict(d.parts)) for d in would
    ]
    texts = {
        d.day.day: d.parts[TEXT_PART] for d in would if d.table == "traces" and TEXT_PART in d.parts
    }
    assert {day: amount.rows for day, amount in texts.items()} == {2: 3, 3: 3}
    # Thirteen texts a trace: the error, two of a message, two arguments, ... and two of a map.
    assert texts[2].bytes == 3 * 11 * len(said(1, "text"))


def test_late_rows_go_with_the_next_run(six_days: Lake) -> None:
    """Rows that come for a day that is over are taken like the others, and counted."""
    carried_out(six_days)
    add_day(open_lake(six_days.location.uri), 0)
    add_day(open_lake(six_days.location.uri), 1)
    assert {d.day.day for d in carried_out(six_days)} == {1, 2}
    assert {row["event_date"].day for row in table_rows(six_days, "traces")} == {2, 3, 4, 5, 6}
    assert all(
        r["response"] is None for r in table_rows(six_days, "traces") if r["event_date"].day == 2
    )
    assert verify_lake(six_days, deep=True).problems == []


def test_compaction_before_and_after(six_days: Lake, tmp_path: Path) -> None:
    """Files that were compacted are cleared; what was cleared stays so when it is compacted."""

    def compacted() -> None:
        for table in six_days.tables():
            batches = compaction(table, before=TODAY)
            list(compact_batches(table, batches, commit_context(new_token=lambda: 7)))

    add_day(six_days, 1)
    compacted()
    carried_out(six_days)
    add_day(six_days, 2)
    compacted()
    carried_out(six_days)
    purged(six_days)
    assert texts_on_disk(tmp_path) == LEFT
    assert verify_lake(open_lake(six_days.location.uri), deep=True).problems == []
    assert carried_out(six_days) == []


def test_a_run_beside_another_and_beside_a_compaction(six_days: Lake, tmp_path: Path) -> None:
    """Whatever was looked at before another changed it is looked at again."""
    traces = next(r for r in runs(six_days) if r.table.name == "traces")
    steps = traces.run()
    next(steps)  # the first day is done; the others have been looked at
    other = open_lake(six_days.location.uri)
    add_day(other, 1)
    table = other.table("traces")
    list(
        compact_batches(table, compaction(table, before=TODAY), commit_context(new_token=lambda: 8))
    )
    carried_out(open_lake(six_days.location.uri))
    list(steps)
    carried_out(six_days)
    assert verify_lake(open_lake(six_days.location.uri), deep=True).problems == []
    purged(six_days)
    assert texts_on_disk(tmp_path) == LEFT


def test_a_run_that_was_fenced_does_the_rest(six_days: Lake) -> None:
    """Two runs that found the same rows: every row is removed once, and both succeed."""
    one, two = (
        next(run for run in runs(open_lake(six_days.location.uri)) if run.table.name == "feedback")
        for _ in range(2)
    )
    first, second = one.run(), two.run()
    done = [next(first), next(second)]
    done += [*first, *second]
    expired = [d for d in done if d.removes_rows]
    assert len(expired) == 1
    assert verify_lake(six_days, deep=True).partitions[0].expired == 2


def test_the_commits_say_what_they_took(six_days: Lake) -> None:
    """Table, day, parts, rows and bytes are in the history of the table, for an auditor."""
    carried_out(six_days)
    told = [
        c[RETENTION_KEY] for c in six_days.table("traces").handle.history() if RETENTION_KEY in c
    ]
    assert len(told) == 3
    assert '"day":"2026-11-01"' in told[-1]
    assert '"rows":{"rows":3' in told[-1]


def test_a_table_that_the_plan_does_not_name_is_left_alone(six_days: Lake) -> None:
    """And so is a part that it does not name."""
    before = everything(six_days)
    carried_out(six_days, "tables: {traces: {pseudonyms: 1}}")
    after = everything(six_days)
    for name in set(TABLE_LAYOUTS) - {"traces"}:
        assert after[name] == before[name]
    assert [{**r, "user_id": None} for r in before["traces"]] == after["traces"]


def test_files_that_went_after_the_look_are_looked_at_again(six_days: Lake) -> None:
    """Another run has done the same between the look and the commit: nothing is left to do."""
    run = next(run for run in runs(six_days) if run.table.name == "feedback")
    found = run.find_expiring()
    carried_out(open_lake(six_days.location.uri))
    six_days.table("feedback").refresh()
    assert not any(run.is_in_flight(one) or run.remove(one) for one in found)
    assert verify_lake(open_lake(six_days.location.uri), deep=True).problems == []
