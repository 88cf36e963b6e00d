"""Every reader of traces takes the rows in force, whatever their days and contents."""

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from batch.compaction import compact_batches, plan_compaction
from batch.labels.trace_buckets import ScanExtent
from batch.reviews.review_context import ReviewContext, read_review_contexts
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.assembly_columns import AssemblyFacts
from schemas.records import Trace
from tests.batch.kit import (
    desk,
    events,
    labels_of,
    means,
    new_lake,
    open_lake,
    put,
    put_assembled,
    reconciled,
)
from tests.batch.release.kit import drafted, selected
from tests.labels.kit import DAY, SECOND, feedback, told, trace

DAY_SECONDS = DAY // SECOND
MIDNIGHT = 2 * DAY_SECONDS
"""Two days after the first: the night that the trace ``late-root`` lies over."""
PLAIN: dict[str, Any] = {
    "holdout": None,
    "strata": [],
    "allocation": {"by": "proportional", "floor": 1},
}
"""A release of everything, without strata."""


def version(revision: int, **more: Any) -> AssemblyFacts:
    """What the assembly knows of one row of a trace."""
    return AssemblyFacts(revision, "m1", **more)


def of(trace_id: str, content: str, at: float, **more: Any) -> Trace:
    """A trace whose response says which of its rows it is."""
    return trace(trace_id, at=at, response=content, **more)


@pytest.fixture
def spanned_lake(tmp_path: Path) -> Lake:
    """Records, assembled rows, and traces that have both, or repeat others."""
    lake = new_lake(tmp_path / "lake")
    put_assembled(
        lake,
        [
            (of("both", "assembled", MIDNIGHT + 60), version(1)),
            # The root is missing, then late, then a span is: it began before midnight.
            (of("late-root", "first", MIDNIGHT + 5, status="error"), version(1)),
            (of("late-root", "second", MIDNIGHT - 5, status="error"), version(2)),
            (of("late-root", "third", MIDNIGHT - 7), version(3)),
            (of("whole", "of its spans", 50), version(1)),
            (of("repeats", "of plain", 10), version(1, duplicate_of="plain")),
            (of("found-late", "before", 30), version(1)),
            (of("taken-back", "before", 40), version(1, duplicate_of="plain")),
        ],
    )
    put_assembled(
        lake,
        [
            (of("found-late", "a duplicate", 30), version(2, duplicate_of="plain")),
            (of("taken-back", "after all", 40), version(2)),
        ],
    )
    put(
        lake,
        [
            of("plain", "sent", 10),
            of("plain", "sent again", 10),
            of("both", "sent", MIDNIGHT - 60),
            *(feedback(f"f-{trace_id}", trace_id, at=MIDNIGHT + 90) for trace_id in FEEDBACK_ON),
        ],
    )
    return lake


FEEDBACK_ON = ("both", "late-root", "repeats", "found-late")
CONTENTS = {
    "plain": "sent",
    "both": "sent",
    "late-root": "third",
    "whole": "of its spans",
    "taken-back": "after all",
}
"""Which row of each trace is in force."""


def responses(rows: Any) -> dict[str, str]:
    """Return the response of each row of a release by trace id, each once."""
    ids = rows["trace_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    return dict(zip(ids, rows["response"].to_pylist(), strict=True))


def test_a_release_of_all_days(spanned_lake: Lake) -> None:
    """Each trace once, with the content in force; the counts say the same."""
    made = selected(spanned_lake, **PLAIN)
    assert responses(made.rows) == CONTENTS
    assert sum(draw.stratum.traces for draw in made.draws) == len(CONTENTS)
    assert sum(made.population.labels.values()) == len(CONTENTS)
    assert sum(made.policies.values()) == len(CONTENTS)


def test_releases_of_the_days_before_and_after(spanned_lake: Lake) -> None:
    """A trace over midnight is in one of them; no row of another day takes its place."""
    night = "2026-11-03"
    before = selected(spanned_lake, **PLAIN, window={"from": "2026-11-01", "to": night})
    assert responses(before.rows) == CONTENTS
    with pytest.raises(Exception, match="no trace fits"):
        selected(spanned_lake, **PLAIN, window={"from": night, "to": "2026-12-01"})


def test_content_is_looked_at_after_the_choice(spanned_lake: Lake) -> None:
    """An error of a revision that is out of force makes the trace no error."""
    with pytest.raises(Exception, match="no trace fits"):
        selected(spanned_lake, **PLAIN, where={"status": ["error"]})
    made = selected(spanned_lake, **PLAIN, where={"status": ["ok"]})
    assert responses(made.rows) == CONTENTS


def test_a_trace_that_repeats_another_cannot_be_named(spanned_lake: Lake) -> None:
    """It is not there, whether it was found at once or later."""
    named = selected(spanned_lake, **PLAIN, must_include=["late-root", "taken-back"])
    assert responses(named.rows) == CONTENTS
    with pytest.raises(Exception, match="2 traces that the spec names"):
        selected(spanned_lake, **PLAIN, must_include=["repeats", "found-late"])


def test_weights_count_the_traces_that_sampling_left_out(tmp_path: Path) -> None:
    """A trace that was kept with a quarter of the probability stands for four."""
    lake = new_lake(tmp_path / "lake")
    kept = {f"t{i}": 0.25 if i % 2 else None for i in range(8)}
    put_assembled(
        lake,
        [
            (of(trace_id, "x", i), version(1, sampling_probability=kept[trace_id]))
            for i, trace_id in enumerate(kept)
        ],
    )
    draft = drafted(lake, **PLAIN, size=8)
    rows = draft.rows.to_pylist()
    assert {row["trace_id"]: row["weight"] for row in rows} == {
        trace_id: 4.0 if probability else 1.0 for trace_id, probability in kept.items()
    }
    assert {row["trace_id"]: row["inclusion_probability"] for row in rows} == {
        trace_id: probability or 1.0 for trace_id, probability in kept.items()
    }
    assert draft.facts["population"]["represents"] == 20.0
    assert draft.facts["design"]["strata"][0]["represents"] == 20.0
    half = selected(lake, **PLAIN, size=4, window={"from": "2026-11-01", "to": "2026-11-02"})
    assert sum(half.rows["weight"].to_pylist()) == pytest.approx(20.0)


def contexts(lake: Lake) -> Mapping[str, ReviewContext]:
    """Return the context of each item that waits for a reviewer."""
    claimed = [each.item for each in desk(lake).claim("a:reviewer", 20)]
    tables = [lake.table(name) for name in ("labels", "traces", "feedback")]
    for table in tables:
        table.refresh()
    return read_review_contexts(claimed, *tables)


def test_labels_rest_on_the_traces_in_force(spanned_lake: Lake) -> None:
    """The day, the error and the session of a label are those of the row in force."""
    report = reconciled(spanned_lake)
    labels = labels_of(spanned_lake)
    assert labels["late-root"].trace_started_at == trace("x", at=MIDNIGHT - 7).started_at
    assert {item.kind for item in labels["late-root"].evidence} == {"thumbs_down"}
    for repeating in ("repeats", "found-late"):
        assert labels[repeating].trace_started_at is None
    assert sum(report.added.values()) == len(events(spanned_lake))
    assert sum(reconciled(spanned_lake).added.values()) == 0


def test_labels_of_some_days_choose_among_all_rows(spanned_lake: Lake) -> None:
    """The trace over midnight is none of the day that its first revision lies on."""
    report = reconciled(spanned_lake, extent=ScanExtent(date(2026, 11, 3)))
    assert report.traces == 0
    report = reconciled(spanned_lake, extent=ScanExtent(date(2026, 11, 2)))
    assert set(labels_of(spanned_lake)) == {"both", "late-root"}


def test_a_new_revision_relabels_only_if_the_evidence_is_another(tmp_path: Path) -> None:
    """And then also if it says less: the error of before is no longer one."""
    lake = new_lake(tmp_path / "lake")
    put_assembled(lake, [(of("a", "x", 0, status="error"), version(1))])
    reconciled(lake)
    first = labels_of(lake)["a"]
    assert [item.kind for item in first.evidence] == ["error"]
    put_assembled(lake, [(of("a", "y", 0, status="error"), version(2))])
    assert sum(reconciled(lake).added.values()) == 0
    put_assembled(lake, [(of("a", "z", 0), version(3))])
    reconciled(lake)
    second = labels_of(lake)["a"]
    assert (second.evidence, first.label) == ([], "fail")
    assert second.label != "fail"
    put(lake, [of("a", "whole", 0, finish_reason="length")])
    reconciled(lake)
    assert [item.kind for item in labels_of(lake)["a"].evidence] == ["truncated"]
    assert sum(reconciled(lake).added.values()) == 0


def test_reviewers_see_the_conversation_in_force(spanned_lake: Lake) -> None:
    """Also if the label was decided from an earlier revision, with another start."""
    reconciled(spanned_lake)
    seen = contexts(spanned_lake)
    assert {key: row.trace["response"] for key, row in seen.items() if row.trace} == {
        key: CONTENTS[key] for key in seen
    }
    put_assembled(spanned_lake, [(of("late-root", "fourth", MIDNIGHT - DAY_SECONDS), version(4))])
    again = contexts(spanned_lake)
    if "late-root" in again:
        assert again["late-root"].trace is not None
        assert again["late-root"].trace["response"] == "fourth"
    put_assembled(
        spanned_lake,
        [(of(key, "late", 0), version(9, duplicate_of="plain")) for key in ("whole", "late-root")],
    )
    assert not {"whole", "late-root"} & contexts(spanned_lake).keys()


def problems(lake: Lake) -> list[str]:
    """Return what a deep verification finds wrong, but for quarantine: `put` leaves it out."""
    found = verify_lake(lake, deep=True).problems
    return [problem for problem in found if "position in quarantine" not in problem]


def test_compaction_drops_the_revisions_that_were_replaced(spanned_lake: Lake) -> None:
    """The commit counts them, so the proof holds; what is in force stays, and so does the last."""
    before = responses(selected(spanned_lake, **PLAIN).rows)
    assert problems(spanned_lake) == []
    table = spanned_lake.table("traces")
    batches = plan_compaction(table, before=date(2027, 1, 1))
    compacted = list(compact_batches(table, batches, means(first_token=1_000)))
    assert sum(batch.superseded for batch in compacted) == 4
    assert problems(spanned_lake) == []
    report = verify_lake(spanned_lake)
    superseded = {(p.topic, p.partition): p.superseded for p in report.partitions if p.superseded}
    assert superseded == {("#assembly", 0): 4}
    assert responses(selected(spanned_lake, **PLAIN).rows) == before
    table.refresh()
    rows = table.read(["trace_id", "revision"]).to_pylist()
    assembled = {row["trace_id"]: row["revision"] for row in rows if row["revision"]}
    assert assembled == {
        "both": 1,
        "late-root": 3,
        "whole": 1,
        "repeats": 1,
        "found-late": 2,
        "taken-back": 2,
    }
    assert (
        list(compact_batches(table, plan_compaction(table, before=date(2027, 1, 1)), means())) == []
    )


def test_a_revision_that_comes_while_a_day_is_compacted(spanned_lake: Lake) -> None:
    """The rows that were planned to go, go; the new one is in force, and the proof holds."""
    table = spanned_lake.table("traces")
    batches = plan_compaction(table, before=date(2027, 1, 1))
    run = compact_batches(table, batches, means(first_token=2_000))
    done = [next(run)]
    put_assembled(spanned_lake, [(of("late-root", "fourth", MIDNIGHT - 8), version(4))])
    done += run
    assert sum(batch.superseded for batch in done) == 4
    assert problems(spanned_lake) == []
    contents = responses(selected(spanned_lake, **PLAIN).rows)
    assert contents == {**CONTENTS, "late-root": "fourth"}


@pytest.mark.parametrize("each", [1, 3])
def test_buckets_change_no_label(spanned_lake: Lake, each: int, tmp_path: Path) -> None:
    """All rows of a trace are decided together, however few traces are read at once."""
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "lake", copy)
    reconciled(spanned_lake)
    other = open_lake(copy)
    reconciled(other, each=each)
    assert told(labels_of(other)) == told(labels_of(spanned_lake))
