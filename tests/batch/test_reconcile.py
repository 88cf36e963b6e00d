"""The batch join over a lake: what it finds, that it adds each label once, whatever happens."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings

from batch.labels import reconciler as reconcile_job
from batch.labels.trace_buckets import ScanExtent
from labels.batch_join import LakeRows
from labels.decision import decide_label, events_in_force
from labels.policy import LabelPolicy
from labels.scorer import LabelScorer
from lake.tables import Table
from schemas.errors import FatalError, RetryableError, UsageError
from schemas.records import Feedback, Trace
from tests.batch.kit import (
    SCALES,
    Clock,
    add_labels,
    complaints,
    events,
    labels_of,
    new_lake,
    open_lake,
    put,
    reconciled,
    worked,
)
from tests.labels.kit import (
    DAY,
    NOW,
    START,
    feedback,
    missing_events,
    parse_label_policy,
    policy,
    rows,
    told,
    trace,
)
from tests.labels.worlds import records

Records = Sequence[Trace | Feedback]

ABSENCE = """
  silence: {points_to: pass, sensitivity: {mean: 0.6}, specificity: {mean: 0.5}}
exposure: {everywhere: true}
"""


def pure(
    given: Records, scales: LabelScorer = SCALES, **more: object
) -> dict[str, tuple[object, ...]]:
    """Return what the pure room decides from the same records, with nothing to read from."""
    by_kind = {kind: [r for r in given if isinstance(r, kind)] for kind in (Trace, Feedback)}
    batches = {kind: [rows(found)] if found else [] for kind, found in by_kind.items()}
    lake = LakeRows(batches[Trace], batches[Feedback], **more)  # type: ignore[arg-type]
    return told(events_in_force(missing_events(lake, scales, as_of=NOW, now=NOW)))


def world(count: int = 40) -> list[Trace | Feedback]:
    """Return traces in sessions with retries, and feedback, some on traces that never come."""
    made: list[Trace | Feedback] = [
        trace(f"t{i}", at=i * 20, session_id=f"s{i // 4}", input_tokens=i // 2)
        for i in range(count)
    ]
    made += [feedback(f"f{i}", f"t{i * 3}", at=i * 60 + 5) for i in range(count // 2)]
    edit = {"kind": "edit", "actor": "agent", "value": None}
    made += [
        feedback(f"e{i}", f"t{i * 5}", at=i * 99, corrected_response=f"Better {i}.", **edit)
        for i in range(count // 5)
    ]
    return made


def test_labels_are_those_of_the_pure_function_and_a_second_run_adds_none(tmp_path: Path) -> None:
    """What lies in tables gives the labels that the same records give in memory."""
    lake = new_lake(tmp_path, world())
    first = reconciled(lake)
    assert told(labels_of(lake)) == pure(world())
    assert sum(first.added.values()) == len(events(lake)) > 20
    again = reconciled(open_lake(tmp_path), clock=Clock(NOW + DAY))
    assert (sum(again.added.values()), len(events(lake))) == (0, sum(first.added.values()))
    assert again.statuses["there"] == len(events(lake))
    assert complaints(lake) == []


@pytest.mark.parametrize("each", [1, 7, 30])
def test_buckets_change_nothing(tmp_path: Path, each: int) -> None:
    """A lake that is read a part at a time has the same labels: sessions and retries included."""
    lake = new_lake(tmp_path, world())
    reconciled(lake, each=each)
    assert told(labels_of(lake)) == pure(world())


def test_a_trace_that_came_twice_with_two_sessions_is_decided_once(tmp_path: Path) -> None:
    """Both rows, and its feedback, are looked at together, in one bucket."""
    made = [*world(12), trace("t3", at=70, session_id="other", input_tokens=9)]
    lake = new_lake(tmp_path, made)
    reconciled(lake, each=1)
    assert told(labels_of(lake)) == pure(made)
    assert sum(reconciled(lake, each=1).added.values()) == 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=records())
def test_after_a_worker_only_what_it_could_not_know_is_added(
    tmp_path_factory: pytest.TempPathFactory, made: Records
) -> None:
    """Whatever the records: the labels in force are the pure function's, and nothing is left."""
    lake = new_lake(tmp_path_factory.mktemp("lake"), made)
    worked(lake, SCALES)
    reconciled(lake, each=3, clock=Clock(NOW + 1), as_of=NOW)
    assert told(labels_of(lake)) == pure(made)
    assert sum(reconciled(lake, clock=Clock(NOW + 2), as_of=NOW).added.values()) == 0


def test_a_worker_that_writes_the_same_labels_at_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the commit: the same event may be there from both, and is one event."""
    made = [trace("a"), feedback("f", "a"), *world(12)]
    lake = new_lake(tmp_path, made)
    real, once = decide_label, iter([True])

    def decide(*args: Any, **more: Any) -> Any:
        if next(once, False):
            worked(open_lake(tmp_path), SCALES)
        return real(*args, **more)

    monkeypatch.setattr(reconcile_job, "decide_label", decide)
    reconciled(lake)
    monkeypatch.undo()
    assert told(labels_of(lake)) == pure(made)
    ids = Counter(event.label_event_id for event in events(lake))
    assert ids[labels_of(lake)["a"].label_event_id] == 2
    assert sum(reconciled(lake).added.values()) == 0


def test_feedback_long_after_the_window_is_joined(tmp_path: Path) -> None:
    """Thirty days late, when the worker has long forgotten the trace, it counts all the same."""
    lake = new_lake(tmp_path, [trace("a")])
    worked(lake, SCALES)
    put(lake, [feedback("f", "a", at=30 * 86_400)])
    assert reconciled(lake).added == {"fail": 1}
    label = labels_of(lake)["a"]
    assert (label.trace_started_at, label.evidence[0].feedback_id) == (START, "f")


def test_feedback_that_points_at_nothing_is_no_less_a_label_and_goes_with_its_trace(
    tmp_path: Path,
) -> None:
    """A trace that never comes has its label once the window is over; if it comes, a better one."""
    lake = new_lake(tmp_path, [trace("a"), feedback("f", "gone")])
    assert reconciled(lake).added == {"fail": 1}
    assert labels_of(lake)["gone"].trace_started_at is None
    put(lake, [trace("gone")])
    assert reconciled(lake).added == {"fail": 1}
    assert labels_of(lake)["gone"].trace_started_at == START


def test_silence_counts_only_up_to_what_has_been_read(tmp_path: Path) -> None:
    """The newest row of the slower topic says how far the worker is, not the clock of this job."""
    silent = LabelScorer(policy(ABSENCE))
    made = [trace("a", status="error"), trace("b", at=15 * 86_400)]
    lake = new_lake(tmp_path, made)
    put(lake, [feedback("f", "b", at=16 * 86_400)], ingested=START + DAY)
    assert reconciled(lake, silent).as_of == START + DAY
    kinds = [item.kind for item in labels_of(lake)["a"].evidence]
    assert "silence" not in kinds
    put(lake, [feedback("g", "b", at=17 * 86_400)])
    reconciled(lake, silent)
    assert "silence" in [item.kind for item in labels_of(lake)["a"].evidence]


def test_days_of_the_lake_that_are_not_asked_for_are_not_read(tmp_path: Path) -> None:
    """A part of the lake is decided alone, and feedback on the other part makes no labels."""
    made: list[Trace | Feedback] = [
        trace("old"),
        feedback("f", "old", at=19.5 * 86_400),
        trace("new", at=20 * 86_400),
    ]
    lake = new_lake(tmp_path, [*made, feedback("g", "new", at=20 * 86_400 + 9)])
    since = ScanExtent(date(2026, 11, 21))
    outcome = reconciled(lake, extent=since)
    assert (outcome.traces, set(labels_of(lake))) == (1, {"new"})


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path: Path) -> None:
    """Not a label, and not the version of the policy either."""
    lake = new_lake(tmp_path, world())
    before = sorted(p for p in tmp_path.rglob("*"))
    would = reconciled(lake, dry_run=True)
    assert sorted(p for p in tmp_path.rglob("*")) == before
    assert would.added == reconciled(lake).added


def test_compacted_files_are_read_as_well(tmp_path: Path) -> None:
    """Files that others have rewritten hold text in another layout, and mean the same."""
    made = world()
    lake = new_lake(tmp_path, made[:30])
    put(lake, made[30:])
    for name in ("traces", "feedback"):
        DeltaTable(str(tmp_path / name)).optimize.compact()
    reconciled(open_lake(tmp_path), each=10)
    assert told(labels_of(lake)) == pure(made)


class TestPolicies:
    """A version stands for one policy, and a later one outranks what was."""

    def test_a_changed_policy_needs_a_raised_version(self, tmp_path: Path) -> None:
        """Under the old number it is refused before anything is written."""
        lake = new_lake(tmp_path, world())
        reconciled(lake)
        count = len(events(lake))
        changed = LabelScorer(_policy(1, "thresholds: {fail_at_least: 0.7}\n"))
        options: tuple[dict[str, Any], ...] = ({}, {"rebuild": True}, {"dry_run": True})
        for more in options:
            with pytest.raises(UsageError, match=r"raise `version`.*rebuild"):
                reconciled(lake, changed, **more)
        assert len(events(lake)) == count

    def test_rebuild_decides_history_anew_and_reconcile_leaves_it(self, tmp_path: Path) -> None:
        """Under version 2 all labels are revised by a rebuild, and by nothing else."""
        lake = new_lake(tmp_path, world())
        reconciled(lake)
        first = labels_of(lake)
        second = LabelScorer(_policy(2, "thresholds: {fail_at_least: 0.95}\n"))
        kept = reconciled(lake, second)
        assert (sum(kept.added.values()), kept.statuses["older"]) == (0, len(first))
        rebuilt = reconciled(lake, second, rebuild=True)
        assert sum(rebuilt.added.values()) == len(first)
        assert told(labels_of(lake)) == pure(world(), second)
        assert {e.policy_version for e in labels_of(lake).values()} != {
            e.policy_version for e in first.values()
        }
        assert sum(reconciled(lake, second, rebuild=True).added.values()) == 0
        assert {e.label_event_id for e in first.values()} <= {
            e.label_event_id for e in events(lake)
        }

    def test_a_label_that_a_new_policy_would_not_make_does_not_stay_in_force(
        self, tmp_path: Path
    ) -> None:
        """It is revised to what is known under the new policy, and bothers no reviewer."""
        lake = new_lake(tmp_path, [trace("a"), feedback("f", "a")])
        reconciled(lake)
        deaf = LabelScorer(_policy(2, "high_signal: {weight: 20}\n"))
        reconciled(lake, deaf, rebuild=True)
        label = labels_of(lake)["a"]
        assert (label.revision // 2**20, label.route) == (1024, "auto")
        assert sum(reconciled(lake, deaf, rebuild=True).added.values()) == 0

    def test_more_evidence_is_decided_under_the_new_policy_at_once(self, tmp_path: Path) -> None:
        """Late feedback on a label of the old version makes a revision of the new one."""
        lake = new_lake(tmp_path, [trace("a"), feedback("f", "a")])
        reconciled(lake)
        put(lake, [feedback("g", "a", at=99, kind="regenerate", value=None)])
        assert sum(reconciled(lake, LabelScorer(_policy(2))).added.values()) == 1

    def test_going_back_to_an_older_version_is_refused(self, tmp_path: Path) -> None:
        """Its labels would never be in force."""
        lake = new_lake(tmp_path, world())
        reconciled(lake, LabelScorer(_policy(2)))
        with pytest.raises(UsageError, match="later policy or calibration"):
            reconciled(lake)


def _policy(version: int, more: str = "") -> LabelPolicy:
    base = policy(f"version: {version}\n{more}")
    assert base.version == version
    return base


def test_feedback_that_says_nothing_that_can_be_read_makes_no_label_and_stays(
    tmp_path: Path,
) -> None:
    """A kind of a newer contract, a value out of range: passed over, and no other is lost by it."""
    odd = [
        feedback("k", "t0", kind="applause"),
        feedback("v", "t1", value=7.0),
        feedback("r", "t2", kind="rating", value=-3.0),
        feedback("n", "t3", value=None),
    ]
    made = [trace(f"t{i}") for i in range(5)] + odd + [feedback("f", "t4")]
    lake = new_lake(tmp_path, made)
    quiet = LabelScorer(parse_label_policy("extends: agent\naudit: {rate: 0}\n", "quiet"))
    reconciled(lake, quiet)
    assert set(labels_of(lake)) == {"t4"}
    assert len(lake.table("feedback").read(["feedback_id"])) == 5


class TestClocks:
    """A clock that jumps makes no label of another time, and stops nothing for ever."""

    def test_a_clock_outside_all_times_is_refused(self, tmp_path: Path) -> None:
        """As a dead battery gives it."""
        lake = new_lake(tmp_path, world())
        with pytest.raises(FatalError, match="clock"):
            reconciled(lake, clock=Clock(0))
        assert events(lake) == []

    def test_a_worker_whose_clock_ran_ahead_is_told_and_not_fought(self, tmp_path: Path) -> None:
        """Its label of equal revision stays; run after run adds nothing, and counts it."""
        made: list[Trace | Feedback] = [trace("a"), feedback("f", "a")]
        (event,) = missing_events(
            LakeRows([rows(made[:1])], [rows(made[1:])]), SCALES, as_of=NOW, now=NOW
        )
        lake = new_lake(tmp_path, made)
        ahead = {"label_event_id": "other", "decided_at": NOW + 9 * DAY}
        add_labels(lake, [msgspec.structs.replace(event, **ahead)])
        for _ in range(2):
            outcome = reconciled(lake)
            assert (sum(outcome.added.values()), outcome.statuses["outranked"]) == (0, 1)

    def test_what_is_known_is_not_from_the_future(self, tmp_path: Path) -> None:
        """A worker's clock that ran ahead does not close windows that are open."""
        lake = new_lake(tmp_path)
        put(lake, [trace("a"), feedback("f", "a")], ingested=NOW + 90 * DAY)
        assert reconciled(lake).as_of == NOW


def test_a_lake_that_fails_in_passing_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever read it is, each label is added once and the counts are right."""
    lake = new_lake(tmp_path, world())
    real, reads = Table.batches, itertools.count(1)

    def shaky(table: Table, *args: Any, **more: Any) -> Iterator[Any]:
        for batch in real(table, *args, **more):
            yield batch
            if next(reads) in {2, 5, 9, 14, 20}:
                raise RetryableError("the lake did not answer")

    monkeypatch.setattr(Table, "batches", shaky)
    outcome = reconciled(lake, each=20)
    monkeypatch.undo()
    assert told(labels_of(lake)) == pure(world())
    assert sum(outcome.added.values()) == len(events(lake)) == len(pure(world()))
    assert outcome.traces == len({record.trace_id for record in world()})
