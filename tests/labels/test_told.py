"""The join remembers what has been written, tells what lies elsewhere, and can wait less."""

import pytest

from labels.join import LabelJoin, WrittenEvent
from labels.join_partition import TriggerRecord
from labels.scorer import LabelScorer
from labels.written_marks import NOT_WRITTEN, is_unwritten, written_mark
from schemas.records import LabelEvent
from tests.labels.kit import DAY, FEEDBACK, NOW, SECOND, TRACE, feedback, policy, rows, trace

SCALES = LabelScorer(policy())


@pytest.fixture
def join() -> LabelJoin:
    """A join of one trace with one thumb down, taken."""
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("t")]))
    join.add(FEEDBACK, rows([feedback("f", "t")]))
    return join


def once_more(join: LabelJoin, event: LabelEvent) -> bool:
    """Have a trace decided again; return whether that gives an event."""
    state = join._states[0]
    state.touch_again(event.trace_id, TriggerRecord(FEEDBACK, 0, NOW))
    return bool(join.take(now=NOW).decided)


def told_of(event: LabelEvent, *, more: int = 0) -> WrittenEvent:
    """Return what says that an event is written, with its revision moved."""
    return WrittenEvent(event.trace_id, event.label_event_id, event.revision + more)


def test_what_is_written_is_not_given_again(join: LabelJoin) -> None:
    """Before it is written it is, as often as it is asked for."""
    [(event, _, _)] = join.take(now=NOW).decided
    assert once_more(join, event)
    join.told([told_of(event)])
    assert not once_more(join, event)


def test_what_is_outranked_is_not_given(join: LabelJoin) -> None:
    """A label that rests on a review, say, is not followed by one that does not know of it."""
    [(event, _, _)] = join.take(now=NOW).decided
    join.told([WrittenEvent("t", "of a review", event.revision + 1022)])
    assert not once_more(join, event)


def test_what_was_written_under_another_policy_says_nothing(join: LabelJoin) -> None:
    """Its revisions cannot be compared."""
    [(event, _, _)] = join.take(now=NOW).decided
    join.told([told_of(event, more=2**20)])
    assert once_more(join, event)


def test_equal_revisions_are_told_apart_by_their_ids() -> None:
    """Whatever is not below and not the same is news."""
    mark = written_mark("a", 7)
    assert is_unwritten(mark, NOT_WRITTEN)
    assert not is_unwritten(mark, mark)
    assert is_unwritten(written_mark("b", 7), mark)
    assert is_unwritten(written_mark("b", 8), mark)
    assert not is_unwritten(written_mark("b", 6), mark)
    assert 0 < mark < 2**64


def test_a_trace_that_lies_in_another_partition_is_found() -> None:
    """As happens where the two topics are not co-partitioned."""
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("t")], partition=0))
    join.add(FEEDBACK, rows([feedback("f", "t")], partition=1))
    assert join.elsewhere(["t", "u"], 1) == 1
    assert join.elsewhere(["t"], 0) == 1
    assert join.elsewhere([], 0) == 0


def test_a_shorter_window_lets_go_what_is_older() -> None:
    """And takes less memory from then on."""
    join = LabelJoin(SCALES, window=8 * DAY)
    join.add(TRACE, rows([trace(f"t{i}", at=i * DAY / SECOND / 100) for i in range(700)]))
    join.take(now=NOW)
    before = join.size()
    join.shorten()
    after = join.size()
    assert join.window == 4 * DAY
    assert (before.traces, after.traces) == (700, 401)
    assert after.bytes < before.bytes
