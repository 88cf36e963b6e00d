"""The queue gives entries in order of time, whatever order they come in."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.time_queue import TimeQueue

TIMES = st.lists(st.one_of(st.none(), st.integers(-30, 60)), max_size=60)
"""A time is put in; None takes the first one out."""


@given(TIMES, st.integers(1, 20))
def test_the_first_entry_is_always_the_earliest(steps: Sequence[int | None], width: int) -> None:
    """Between any puts and takes, also of times before those that were taken."""
    queue, expected = TimeQueue(width), list[tuple[int, str]]()
    for number, time in enumerate(steps):
        if time is not None:
            queue.push(time, f"t{number}")
            expected = sorted([*expected, (time, f"t{number}")])
        elif expected:
            assert queue.pop() == expected.pop(0)
        assert queue.first() == (expected[0] if expected else None)


def test_an_empty_queue_has_nothing_to_take() -> None:
    """And is empty again after its last entry."""
    queue = TimeQueue(10)
    queue.push(5, "t")
    queue.pop()
    assert queue.first() is None
    with pytest.raises(IndexError):
        queue.pop()
