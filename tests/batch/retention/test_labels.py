"""Labels with expired evidence stay unchanged, whatever the remaining evidence suggests."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from batch.labels.calibrator import Calibrator
from batch.labels.trace_buckets import ScanExtent
from batch.retention.run import RetentionRun
from labels.scorer import LabelScorer
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.records import Feedback, Trace
from tests.batch.kit import (
    POLICY,
    Clock,
    complaints,
    desk,
    judge,
    labels_of,
    new_lake,
    open_lake,
    put,
    reconciled,
)
from tests.batch.kit import means as job_means
from tests.batch.retention.kit import means
from tests.labels.kit import DAY, NOW, feedback, policy, told, trace

SECONDS = 86_400
FIRST = date(2026, 11, 1)
LATER = LabelScorer(policy("version: 2\n"))


def day(number: int) -> date:
    """Return a day, counted from START."""
    return FIRST + timedelta(days=number)


def world() -> list[Trace | Feedback]:
    """Return four traces a day for ten days, with corrections, several users and a thumbs down."""
    made: list[Trace | Feedback] = []
    for number in range(10):
        for n in range(4):
            name, at = f"t{number}-{n}", number * SECONDS + n
            made.append(trace(name, at))
            edit = {"kind": "edit", "actor": "agent", "value": None}
            made.append(
                feedback(f"e-{name}", name, at + 60, corrected_response=f"Better {name}.", **edit)
            )
            made += [
                feedback(f"d{user}-{name}", name, at + 90, user_id=f"user-{user}")
                for user in range(2)
            ]
    return made


@pytest.fixture
def labelled_lake(tmp_path: Path) -> Lake:
    """Ten days, all of them labelled."""
    made = new_lake(tmp_path, world())
    reconciled(made)
    assert len(labels_of(made)) == 40
    return made


def expire(lake: Lake, table: str, **until: date) -> None:
    """Let parts of a table expire."""
    assert list(RetentionRun.of(lake, table, until, means()).run())


def again(lake: Lake, **more: Any) -> Any:
    """Run the job once more, a month later."""
    return reconciled(open_lake(lake.location.uri), clock=Clock(NOW + DAY), **more)


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        ("feedback", {"text": 5}),
        ("feedback", {"pseudonyms": 5}),
        ("feedback", {"rows": 5}),
        ("traces", {"rows": 5}),
        ("traces", {"text": 5, "rows": 3}),
    ],
)
def test_nothing_is_decided_from_what_is_left(
    labelled_lake: Lake, table: str, parts: dict[str, int]
) -> None:
    """No label is added, and those in force are unchanged, including corrections."""
    before = told(labels_of(labelled_lake))
    add_texts_nobody_has(labelled_lake)
    expire(labelled_lake, table, **{part: day(n) for part, n in parts.items()})
    outcome = again(labelled_lake)
    assert sum(outcome.added.values()) == 0
    assert told(labels_of(open_lake(labelled_lake.location.uri))) == before
    if table == "feedback" and "rows" not in parts:
        assert outcome.to_json()["expired"] == 20
    assert complaints(open_lake(labelled_lake.location.uri)) == []


def test_labels_that_are_gone_do_not_come_back(labelled_lake: Lake) -> None:
    """Though all of what they were decided from is still there."""
    expire(labelled_lake, "labels", rows=day(31))
    assert labels_of(open_lake(labelled_lake.location.uri)) == {}
    assert sum(again(labelled_lake).added.values()) == 0
    assert complaints(open_lake(labelled_lake.location.uri)) == []


def add_texts_nobody_has(lake: Lake) -> None:
    """Give the first trace a text, so that one can expire."""
    put(lake, [trace("with-text", response="something")])


def test_a_raised_policy_decides_what_is_whole_and_leaves_the_rest(labelled_lake: Lake) -> None:
    """Old labels stay under the old policy, with their old evidence."""
    expire(labelled_lake, "feedback", text=day(5))
    outcome = reconciled(labelled_lake, LATER, clock=Clock(NOW + DAY), rebuild=True)
    assert sum(outcome.added.values()) == 20
    by_policy = {t: e.policy_version.split("+")[0][:6] for t, e in labels_of(labelled_lake).items()}
    for name, version in by_policy.items():
        assert version == ("test/2" if int(name[1]) >= 5 else "test/1")
    assert all(e.expected_response for e in labels_of(labelled_lake).values())


def test_late_feedback_on_what_is_whole_still_counts(labelled_lake: Lake) -> None:
    """Texts of traces decide nothing, so they may go earlier than late feedback comes."""
    add_texts_nobody_has(labelled_lake)
    expire(labelled_lake, "traces", text=day(8))
    put(labelled_lake, [feedback("late", "t1-0", 20 * SECONDS, value=1.0)])
    assert sum(again(labelled_lake).added.values()) == 1
    found = {
        e.feedback_id for e in labels_of(open_lake(labelled_lake.location.uri))["t1-0"].evidence
    }
    assert "late" in found


def test_late_feedback_on_a_trace_that_is_gone_makes_no_label(labelled_lake: Lake) -> None:
    """It looks like feedback whose trace never came, which is worth a label of its own."""
    expire(labelled_lake, "traces", rows=day(5))
    put(labelled_lake, [feedback("late", "t1-0", 20 * SECONDS, value=1.0)])
    assert sum(again(labelled_lake).added.values()) == 0


def test_calibration_learns_from_what_is_whole(labelled_lake: Lake) -> None:
    """With nothing whole there is nothing to learn from, and it says so."""
    expire(labelled_lake, "feedback", pseudonyms=day(20))
    job = Calibrator(open_lake(labelled_lake.location.uri), POLICY, job_means())
    with pytest.raises(UsageError):
        job.learn(ScanExtent())


def test_items_without_their_texts_are_handed_to_nobody(tmp_path: Path) -> None:
    """Nor those whose reviews have expired, which would seem open; what was claimed is taken."""
    unsure = {"kind": "regenerate", "value": None}
    made: list[Trace | Feedback] = []
    for number in range(10):
        made.append(trace(f"u{number}", number * SECONDS, response="An answer."))
        made.append(feedback(f"f{number}", f"u{number}", number * SECONDS + 60, **unsure))
    lake = new_lake(tmp_path, made)
    reconciled(lake)
    opened = {item.trace_id for item in desk(lake).queue().items}
    early, late = ({t for t in opened if (int(t[1]) < 5) is old} for old in (True, False))
    assert early
    assert late
    handed = {one.item.trace_id for one in desk(lake).claim("ann", 20)}
    assert handed == opened
    expire(lake, "traces", text=day(5))
    again = open_lake(tmp_path)
    assert {item.trace_id for item in desk(again).queue().items} == late
    assert {one.item.trace_id for one in desk(again).claim("bob", 20)} <= late
    assert len(judge(desk(again), min(early), "ann").added) == 1
    for name in late:
        judge(desk(again), name, "ann")
    assert desk(again).queue().items == []
    expire(again, "reviews", rows=day(60))
    assert desk(open_lake(tmp_path)).queue().items == []
