"""Writers of one table: what the simulation says of them, and that real ones lose nothing."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import conflict_simulation
from benchmarks.commit_conflicts import run_real_writers
from benchmarks.conflict_simulation import CommitLoad, CommitTimes, simulate_commits
from lake.retry import Retry
from tests.lake.kit import make_lake

TIMES = CommitTimes([0.002, 0.003], [0.008, 0.012], [0.001, 0.002], [0.001], [0.02])


@pytest.mark.parametrize("writers", [1, 2, 50, 200])
def test_every_commit_lands_once(writers: int) -> None:
    """However many wait for one log, each of them makes its versions."""
    outcome = simulate_commits(TIMES, CommitLoad(writers, 3, every=0.5), seed=1)
    assert outcome.versions == len(outcome.seconds) == 3 * writers
    assert min(outcome.seconds) >= min(TIMES.refresh) + min(TIMES.put) - 1e-9
    assert outcome.began <= 0.5
    assert outcome == simulate_commits(TIMES, CommitLoad(writers, 3, every=0.5), seed=1)


def test_one_writer_meets_nobody() -> None:
    """It never conflicts, and takes a refresh and a put; a look comes before the next."""
    outcome = simulate_commits(CommitTimes([1], [2], [9], [1], [0]), CommitLoad(1, 5), seed=0)
    assert (outcome.conflicts, outcome.waits) == (0, 0)
    assert outcome.seconds == [3] * 5
    assert outcome.ended - outcome.began == 5 * 3 + 4 * 1


def test_two_writers_at_once() -> None:
    """By hand: both put at 3, the second is overtaken, reads for 1 and puts again for 2."""
    outcome = simulate_commits(CommitTimes([1], [2], [1], [0], [0]), CommitLoad(2, 1), seed=0)
    assert outcome.seconds == [3, 6]
    assert outcome.conflicts == 1


def test_more_writers_conflict_more_and_one_log_has_an_end() -> None:
    """No load makes more commits a minute than puts fit into one, one after another."""
    outcomes = [simulate_commits(TIMES, CommitLoad(n, 20), seed=2) for n in (1, 2, 5, 20)]
    assert all(a.conflicts_each < b.conflicts_each for a, b in pairwise(outcomes))
    assert all(outcome.a_minute <= 60 / min(TIMES.put) for outcome in outcomes)
    rare = simulate_commits(TIMES, CommitLoad(20, 20, every=60), seed=2)
    assert rare.conflicts_each < 0.05


def test_a_writer_that_is_overtaken_too_often_waits_as_a_worker_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the back-off of the worker, after as many conflicts as delta-rs is allowed."""
    load = CommitLoad(8, 5)
    at_once = simulate_commits(TIMES, load, seed=3)
    assert at_once.waits == 0
    monkeypatch.setattr(conflict_simulation, "CONFLICT_RETRIES", 0)
    waited = simulate_commits(TIMES, load, seed=3)
    assert waited.waits == waited.conflicts > 0
    assert waited.versions == at_once.versions


def test_the_back_off_grows_to_its_cap() -> None:
    """And is a random share of it, so that writers part."""
    rng = random.Random(0)  # noqa: S311 - a test
    most = Retry(1, lambda: 0.0, lambda _wait: False, lambda _low, high: high)
    assert [most.backoff(attempt) for attempt in (0, 1, 2, 6, 7, 99)] == [
        *(0.1, 0.2, 0.4, 6.4),
        *(10.0, 10.0),
    ]
    drawn = {Retry(1, lambda: 0.0, lambda _wait: False, rng.uniform).backoff(3) for _ in range(9)}
    assert len(drawn) == 9
    assert all(0 <= wait <= 0.8 for wait in drawn)


@pytest.mark.chaos  # each process takes seconds to start
@pytest.mark.parametrize("writers", [2, 4])
def test_real_writers_lose_nothing(tmp_path: Path, writers: int) -> None:
    """Processes that commit one flush after another: each is in the log exactly once."""
    lake = make_lake(tmp_path)
    uri = lake.location.uri
    outcome = run_real_writers(uri, None, writers, 30, tmp_path)
    assert len(outcome.seconds) == writers * 30
