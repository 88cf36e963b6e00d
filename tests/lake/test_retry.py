"""Trying again is bounded, spread out, and ends when told to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.retry import Retry
from schemas.errors import FatalError, FencedError, RetryableError
from tests.lake.kit import patience


class Step:
    """Fails so many times, then gives a result or raises something else."""

    def __init__(self, failures: int, last: Exception | None = None) -> None:
        self.left = failures
        self.last = last

    def __call__(self) -> str:
        """Fail, or not."""
        if self.left:
            self.left -= 1
            raise RetryableError("no answer")
        if self.last:
            raise self.last
        return "done"


@given(failures=st.integers(0, 12), base=st.floats(0.01, 1), cap=st.floats(0.5, 20))
def test_waits_double_up_to_a_cap(failures: int, base: float, cap: float) -> None:
    """Each wait is drawn from nought to its bound, which doubles until it is capped."""
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return (low + high) / 2

    retry = patience(1e6, uniform=uniform, base=base, cap=cap)
    assert retry.call("step", Step(failures)) == "done"
    assert bounds == [(0, min(cap, base * 2**n)) for n in range(failures)]


@given(seconds=st.floats(0, 100))
def test_the_whole_effort_is_bounded(seconds: float) -> None:
    """It never waits beyond its time, and says for how long it has tried and why it failed."""
    waited: list[float] = []
    retry = patience(seconds, on_retry=lambda _what, _error, wait: waited.append(wait))
    with pytest.raises(FatalError, match=r"the step: still failing after .* \(no answer\)"):
        retry.call("the step", Step(10**6))
    assert sum(waited) <= seconds + 1e-6


def test_told_to_stop_it_stops() -> None:
    """The error is the step's own, so that nobody takes it for a success."""
    step = Step(5)
    with pytest.raises(RetryableError):
        patience(sleep=lambda _wait: True).call("step", step)
    assert step.left == 4


def test_told_to_stop_while_the_last_try_takes_its_time_is_no_failure() -> None:
    """A question that nobody answers may take longer than all the time there is."""
    now = [0.0]

    def slow() -> str:
        now[0] += 10
        raise RetryableError("no answer")

    told = patience(5, monotonic=lambda: now[0], sleep=lambda _wait: True)
    with pytest.raises(RetryableError, match="no answer"):
        told.call("step", slow)
    with pytest.raises(FatalError, match="still failing"):
        patience(5, monotonic=lambda: now[0], sleep=lambda _wait: False).call("step", slow)


@pytest.mark.parametrize("error", [FatalError("x"), FencedError("x"), ValueError("x")])
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    """Only what may pass by itself is tried again."""
    with pytest.raises(type(error)):
        patience().call("step", Step(0, error))


@pytest.mark.parametrize(
    ("failures", "last", "recovered"),
    [
        (0, None, []),
        (2, None, ["step"]),
        (2, FencedError("x"), ["step"]),
        (0, FencedError("x"), []),
        (2, FatalError("x"), []),
    ],
)
def test_who_watches_is_told_when_the_trouble_is_over(
    failures: int, last: Exception | None, recovered: list[str]
) -> None:
    """Also when the answer is that another worker owns the partition: readiness hangs on it."""
    found: list[str] = []
    retry = patience(on_recovered=found.append)
    if last is None:
        retry.call("step", Step(failures, last))
    else:
        with pytest.raises(type(last)):
            retry.call("step", Step(failures, last))
    assert found == recovered


def test_no_time_means_one_attempt() -> None:
    """With nought seconds the first failure is the last."""
    with pytest.raises(FatalError):
        Retry(0, lambda: 0.0, lambda _wait: False, lambda _low, _high: 0.1).call("step", Step(1))
