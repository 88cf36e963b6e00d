"""Jobs that are killed, and jobs that run at once: each label, review and version is there once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from batch.labels.calibration_store import list_calibrations, load_calibration, publish_calibration
from batch.reviews.review_table import read_review_log
from lake.tables import Lake
from tests.batch.kill_jobs import REVIEWER, SUBMISSION, calibration, killable
from tests.batch.kit import (
    POLICY,
    complaints,
    desk,
    events,
    judge,
    labels_of,
    new_lake,
    open_lake,
    reconciled,
)
from tests.batch.test_reconcile import pure, world
from tests.kill_harness import AT_ONCE, outputs, start_module
from tests.labels.kit import told
from tests.servers.s3 import S3


def test_a_reconcile_that_dies_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    """Whatever it had written by then, the labels are those of one that lived, each once."""
    new_lake(tmp_path / "lake", world(24))
    for copy in killable("reconcile").killed_copies(tmp_path / "lake", tmp_path):
        lake = open_lake(copy)
        reconciled(lake)
        assert told(labels_of(lake)) == pure(world(24))
        assert max(Counter(event.label_event_id for event in events(lake)).values()) == 1
        assert complaints(lake) == []


def test_a_review_that_dies_at_any_step_can_be_sent_again(tmp_path: Path) -> None:
    """The item is still the reviewer's, and the same submission is there once."""
    reconciled(new_lake(tmp_path / "lake", world(12)))
    for copy in killable("review").killed_copies(tmp_path / "lake", tmp_path):
        lake = open_lake(copy)
        before = read_review_log(lake.table("reviews")).log
        mine = desk(lake)
        if before.reviews:
            trace_id = before.reviews[0].trace_id
        else:
            (handed,) = mine.claim(REVIEWER, 1)
            trace_id = handed.item.trace_id
            assert {claim.trace_id for claim in before.claims} <= {trace_id}
        taken = judge(mine, trace_id, REVIEWER, submission_id=SUBMISSION)
        counts = (len(taken.added), len(taken.already_known))
        assert counts == ((0, 1) if before.reviews else (1, 0))
        assert len(read_review_log(lake.table("reviews")).log.reviews) == 1
        assert complaints(lake) == []


def test_a_calibration_whose_run_died_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Publishing it again gives the same file, and its picture."""
    new_lake(tmp_path / "lake")
    for copy in killable("publish").killed_copies(tmp_path / "lake", tmp_path):
        store = open_lake(copy).location.files("calibrations")
        assert list_calibrations(store) in ([], [1])
        publish_calibration(store, calibration())
        assert load_calibration(store, 1, POLICY) == calibration()
        assert store.size("1.svg")


def race(job: str, uri: str, env: Mapping[str, str]) -> list[Any]:
    """Run a job in several processes at once."""
    names = [f"racer-{number}" for number in range(AT_ONCE)]
    return outputs([start_module("tests.batch.racing", job, uri, name, env=env) for name in names])


def race_everything(lake: Lake, uri: str, env: Mapping[str, str], *, traces: int) -> None:
    """Reconcile, then review, then publish, each by several at once; assert what must hold."""
    each_told = race("everything", uri, env)
    added, done, first = zip(*each_told, strict=True)
    found = events(lake)
    assert sum(added) == len(found)
    assert max(Counter(event.label_event_id for event in found).values()) == 1
    assert_fair(lake, done, each=1)
    reconciled(lake)  # a slow process may have seen reviews of a fast one, or not
    verdicts = read_review_log(lake.table("reviews")).log.verdicts()
    assert told(labels_of(lake)) == pure(world(traces), verdicts=verdicts)
    assert Counter(first) == {True: 1, False: AT_ONCE - 1}
    assert list_calibrations(lake.location.files("calibrations")) == [1]
    assert complaints(lake) == []


def assert_fair(lake: Lake, done: Sequence[Sequence[str]], *, each: int) -> None:
    """Assert that every item was given to so many reviewers, and is judged by as many."""
    queue = desk(lake).queue()
    given = Counter(trace_id for traces in done for trace_id in traces)
    assert len(given) >= 10
    assert set(given.values()) == {each}
    assert {trace_id: len(found) for trace_id, found in queue.log.by_trace().items()} == given
    claims = Counter(
        trace_id for trace_id, _ in {(c.trace_id, c.reviewer) for c in queue.log.claims}
    )
    assert claims == given
    assert len({item.trace_id for item in queue.items} & set(given)) == 0


def test_many_at_once_in_a_folder(tmp_path: Path) -> None:
    """Three processes reconcile, review and publish: nothing twice, nothing missing."""
    lake = new_lake(tmp_path, world(40))
    race_everything(lake, str(tmp_path), {}, traces=40)


def test_many_at_once_on_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same against a real S3 server."""
    env = {name: value for name, value in s3.env().items() if not name.startswith("GOLDPAN_")}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    uri = s3.new_lake()
    lake = new_lake(uri, world(20), s3_endpoint_url=s3.endpoint)
    race_everything(lake, uri, {**env, "S3_ENDPOINT": s3.endpoint}, traces=20)


@pytest.mark.chaos
def test_as_many_reviewers_an_item_as_the_policy_asks_for(tmp_path: Path) -> None:
    """Of three at once, two different ones judge each item."""
    lake = new_lake(tmp_path, world())
    reconciled(lake)
    done = race("review", str(tmp_path), {"REVIEWERS": "2"})
    assert_fair(lake, done, each=2)
