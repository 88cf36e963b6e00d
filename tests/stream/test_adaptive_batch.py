"""How many records are taken at once follows from how long they take and how large they are."""

from hypothesis import given
from hypothesis import strategies as st

from stream.adaptive_batch import MAX_RECORDS, MIN_RECORDS, TURN_SECONDS, AdaptiveBatch

MANY_BYTES = 2**40


def after(pace: AdaptiveBatch, turns: int, *, each_seconds: float, each_bytes: int) -> int:
    """Take so many full batches of like records; return the size of a batch then."""
    for _ in range(turns):
        pace.took(pace.batch, pace.batch * each_bytes, pace.batch * each_seconds)
    return pace.batch


def test_fast_records_are_taken_by_the_thousand() -> None:
    """In bulk the cost of a turn is shared by many."""
    assert after(AdaptiveBatch(MANY_BYTES), 20, each_seconds=1e-6, each_bytes=100) == MAX_RECORDS


def test_slow_records_are_taken_by_the_few() -> None:
    """A signal, or the group, is not kept waiting."""
    pace = AdaptiveBatch(MANY_BYTES, batch=MAX_RECORDS)
    assert after(pace, 20, each_seconds=0.1, each_bytes=100) == MIN_RECORDS


@given(st.floats(1e-6, TURN_SECONDS / MIN_RECORDS))
def test_a_turn_comes_to_stay_within_its_time(each: float) -> None:
    """Whatever a record takes, as long as a batch of the smallest size fits."""
    pace = AdaptiveBatch(MANY_BYTES, batch=MAX_RECORDS)
    assert after(pace, 20, each_seconds=each, each_bytes=100) * each <= TURN_SECONDS


@given(st.integers(1, 2**24))
def test_a_batch_stays_within_its_bytes(each: int) -> None:
    """One record is the least that can be taken."""
    pace = AdaptiveBatch(2**20)
    batch = after(pace, 20, each_seconds=1e-6, each_bytes=each)
    assert batch == 1 or batch * each <= 2**20


def test_a_batch_that_was_not_full_says_nothing_about_bulk() -> None:
    """A topic with little on it does not make the next batch large."""
    pace = AdaptiveBatch(MANY_BYTES)
    before = pace.batch
    pace.took(before - 1, 100, 1e-6)
    assert pace.batch == before


def test_a_turn_without_records_changes_nothing() -> None:
    """An idle topic is no reason for anything."""
    pace = AdaptiveBatch(MANY_BYTES)
    before = pace.batch
    pace.took(0, 0, 0.2)
    assert pace.batch == before
