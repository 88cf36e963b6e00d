"""The join remembers what is written, finds traces in other partitions, and can wait less."""

from labels.join import LabelJoin, WrittenEvent
from labels.scorer import LabelScorer
from labels.written_marks import NOT_WRITTEN, is_unwritten, written_mark
from schemas.records import LabelEvent
from tests.labels.kit import DAY, FEEDBACK, NOW, SECOND, TRACE, feedback, policy, rows, trace

SCALES = LabelScorer(policy())


def decide_after(*written: WrittenEvent) -> list[LabelEvent]:
    """Return the events of one trace with one thumb down, after these were written."""
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("t")]))
    join.add(FEEDBACK, rows([feedback("f", "t")]))
    join.mark_written(written)
    return [item.event for item in join.decide(now=NOW).decided]


def written_event(event: LabelEvent, *, more: int = 0) -> WrittenEvent:
    """Return the record of a written event, with its revision moved."""
    return WrittenEvent(event.trace_id, event.label_event_id, event.revision + more)


def test_what_is_written_is_not_given_again() -> None:
    """Until it is written, it is."""
    [event] = decide_after()
    assert decide_after() == [event]
    assert decide_after(written_event(event)) == []


def test_what_is_outranked_is_not_given() -> None:
    """A label that rests on a review, say, is not followed by one that does not know of it."""
    [event] = decide_after()
    assert decide_after(WrittenEvent("t", "of a review", event.revision + 1022)) == []


def test_what_was_written_under_another_policy_says_nothing() -> None:
    """Its revisions cannot be compared."""
    [event] = decide_after()
    assert decide_after(written_event(event, more=2**20)) == [event]


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
    assert join.count_in_other_partitions(["t", "u"], 1) == 1
    assert join.count_in_other_partitions(["t"], 0) == 1
    assert join.count_in_other_partitions([], 0) == 0


def test_a_shorter_window_lets_go_what_is_older() -> None:
    """And takes less memory from then on."""
    join = LabelJoin(SCALES, window=8 * DAY)
    join.add(TRACE, rows([trace(f"t{i}", at=i * DAY / SECOND / 100) for i in range(700)]))
    join.decide(now=NOW)
    before = join.size()
    join.halve_window()
    after = join.size()
    assert join.window == 4 * DAY
    assert (before.traces, after.traces) == (700, 401)
    assert after.bytes < before.bytes
