"""The join: whatever the order, the batches and the mishaps, the same records, the same labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.batch_join import LakeRows
from labels.decision import decide_label
from labels.digests import digest_ids
from labels.facts import FeedbackFacts, TraceFacts, TraceKnowledge
from labels.hash_index import NO_ROW, HashIndex
from labels.join import LabelJoin
from labels.scorer import LabelScorer
from schemas.errors import FatalError
from schemas.record_batches import RecordKind
from schemas.records import Feedback, LabelEvent, Trace
from tests.labels.kit import (
    DAY,
    FEEDBACK,
    NOW,
    SECOND,
    START,
    TRACE,
    Worker,
    feedback,
    labels,
    missing_events,
    policy,
    rows,
    told,
    trace,
)
from tests.labels.worlds import happenings, records
from tests.short_versions import drawn

SCALES = LabelScorer(policy())
World = Sequence[Trace | Feedback]


def happen(worker: Worker, steps: Sequence[tuple[Any, ...]]) -> None:
    """Let a worker go through some steps, and then finish."""
    for number, (what, *arguments) in enumerate(steps):
        if what == "die":
            worker.die(after=arguments[0], now=NOW + number)
        elif what in ("flush", "fail_to_flush"):
            getattr(worker, what)(now=NOW + number)
        else:
            getattr(worker, what)(*arguments)
    worker.finish(now=NOW + len(steps))


@drawn(50, 150, records(), happenings())
def test_any_order_batching_and_death_gives_the_same_labels(
    world: World, steps: Sequence[tuple[Any, ...]]
) -> None:
    """However a worker reads, re-reads, fails and dies, the labels in force are the same."""
    worker = Worker(SCALES, world)
    happen(worker, steps)
    assert told(worker.final()) == told(labels(world, SCALES))


@drawn(40, 100, records(), happenings())
def test_no_label_event_is_written_twice(world: World, steps: Sequence[tuple[Any, ...]]) -> None:
    """A worker that is killed at any step writes no event again, and none that is outranked."""
    worker = Worker(SCALES, world)
    happen(worker, steps)
    revisions: dict[str, int] = {}
    for event in worker.table:
        known = revisions.get(event.trace_id, 0)
        assert event.revision >= known
        revisions[event.trace_id] = event.revision


@pytest.mark.parametrize("after", ["nothing", "records", "labels"])
@pytest.mark.parametrize("polled", [(TRACE,), (FEEDBACK,), (TRACE, FEEDBACK)])
def test_a_death_between_two_commits_loses_and_repeats_nothing(
    after: str, polled: tuple[RecordKind, ...]
) -> None:
    """Whichever table the dead worker had written, each label is written exactly once."""
    world: World = [trace("t", status="error"), feedback("f", "t"), trace("u"), feedback("g", "u")]
    worker = Worker(SCALES, world, partitions=1)
    for kind in polled:
        worker.poll((kind, 0), 2)
    worker.die(after=after)
    worker.finish()
    assert told(worker.final()) == told(labels_of_one_partition(world))
    written = [(event.label_event_id, event.revision) for event in worker.table]
    assert len(written) == len(set(written))


def test_a_lake_from_before_labels_were_decided_is_read_back() -> None:
    """Much of it has left the window: that is for the batch job; the rest gets its labels."""
    world: World = [trace(f"t{i}", at=100 * i, status="error") for i in range(20)]
    worker = Worker(SCALES, world, partitions=1, window=100 * SECOND)
    worker.poll_everything()
    worker.die(after="records")
    worker.finish()
    found, all_of_them = told(worker.final()), told(labels_of_one_partition(world))
    assert found.items() <= all_of_them.items()
    assert "t19" in found


@drawn(25, 60, records(), st.randoms(use_true_random=False))
def test_the_batch_job_agrees_with_itself_in_any_order(world: World, rng: Any) -> None:
    """Rows of the lake in any order of files give the batch job the same labels."""
    assert told(_reconciled(world, None)) == told(_reconciled(world, rng))


@drawn(25, 60, records(), happenings())
def test_worker_and_batch_job_end_in_the_labels_of_the_batch_job_alone(
    world: World, steps: Sequence[tuple[Any, ...]]
) -> None:
    """What the worker decided from less is outranked by what the batch job finds, or is equal."""
    worker = Worker(SCALES, world, window=100 * SECOND)
    happen(worker, steps)
    ids = {trace_id: event.label_event_id for trace_id, event in worker.final().items()}
    worker.table += _reconciled(world, None, ids, now=NOW + DAY).values()
    assert told(worker.final()) == told(_reconciled(world, None))


def _reconciled(world: World, rng: Any, known: dict[str, str] | None = None, now: int = NOW) -> Any:
    worker = Worker(SCALES, world)
    parts = [
        (log, rows([record], partition=log[1], start=offset))
        for log, made in worker.logs.items()
        for offset, record in enumerate(made)
    ]
    if rng is not None:
        rng.shuffle(parts)
    lake = LakeRows(
        traces=[batch for log, batch in parts if log[0] is TRACE],
        feedback=[batch for log, batch in parts if log[0] is FEEDBACK],
    )
    as_of = START + 60 * DAY
    return {
        e.trace_id: e for e in missing_events(lake, SCALES, as_of=as_of, now=now, in_force=known)
    }


@drawn(25, 60, records())
def test_the_join_decides_what_plain_python_would(world: World) -> None:
    """For one partition, the compact state knows exactly what a dictionary of records would."""
    found = told(labels_of_one_partition(world))
    assert found == told(by_hand(world))


def labels_of_one_partition(world: World) -> dict[str, LabelEvent]:
    """Let everything pass through the join in one partition."""
    worker = Worker(SCALES, world, partitions=1)
    worker.finish()
    return worker.final()


def by_hand(world: World) -> dict[str, LabelEvent]:
    """Decide without the join: every trace with all that is about it."""
    kept: dict[str, Trace] = {}
    for record in world:
        if isinstance(record, Trace):
            kept.setdefault(record.trace_id, record)
    events = [record for record in world if isinstance(record, Feedback)]
    found = {}
    for trace_id, one in kept.items():
        known = TraceKnowledge(
            trace_id=trace_id,
            trace=TraceFacts(
                started_at=one.started_at,
                failed=one.status == "error",
                truncated=one.finish_reason == "length",
                app=one.app,
                segments=one.segments,
            ),
            feedback=[_facts(event) for event in events if event.trace_id == trace_id],
            retried=any(_repeats(one, other) for other in kept.values()),
        )
        event = decide_label(known, SCALES, decided_at=NOW)
        if event is not None:
            found[trace_id] = event
    return found


def _facts(event: Feedback) -> FeedbackFacts:
    user_digest = 0 if event.user_id is None else 1 + ["u1", "u2"].index(event.user_id)
    return FeedbackFacts(
        feedback_id=event.feedback_id,
        kind=event.kind,
        actor=event.actor,
        occurred_at=event.occurred_at,
        value=event.value,
        user_digest=user_digest,
        correction=event.corrected_response,
    )


def _repeats(one: Trace, other: Trace) -> bool:
    told_apart = one.session_id is None or one.input_tokens is None
    same = (one.session_id, one.input_tokens) == (other.session_id, other.input_tokens)
    gap = other.started_at - one.started_at
    return same and not told_apart and 0 < gap <= SCALES.policy.retry_micros


def test_feedback_waits_for_its_trace() -> None:
    """Feedback first and trace first end alike; until the trace comes there is no label."""
    join = LabelJoin(SCALES)
    join.add(FEEDBACK, rows([feedback("f", "t")]))
    assert join.decide(now=NOW).decided == []
    assert (join.size().traces, join.size().waiting) == (0, 1)
    join.add(TRACE, rows([trace("t")]))
    decided = join.decide(now=NOW).decided
    assert [item.event.trace_id for item in decided] == ["t"]
    assert decided[0].trigger.kind is TRACE
    assert (join.size().traces, join.size().waiting) == (1, 0)


def test_the_trigger_is_the_newest_record_behind_the_label() -> None:
    """Each label event comes with the coordinates and the time of the newest record behind it."""
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("t")], partition=3, start=10))
    join.add(FEEDBACK, rows([feedback("f", "t", 60)], partition=3, start=77))
    decided = join.decide(now=NOW).decided[-1]
    assert (decided.partition, *decided.trigger) == (3, FEEDBACK, 77, START + 60 * SECOND)


def test_late_records_are_told_apart_and_left_to_the_batch_job() -> None:
    """What comes after its window is counted, not joined; the batch job then labels it."""
    window = 100 * SECOND
    worker = Worker(SCALES, [], partitions=1, window=window)
    worker.join.add(TRACE, rows([trace("now", 1_000)]))
    worker.join.add(FEEDBACK, rows([feedback("f", "old", 10)]))
    worker.join.add(TRACE, rows([trace("old", 5)], start=1))
    taken = worker.join.decide(now=NOW)
    assert (taken.counts.late_feedback, taken.counts.late_traces) == (1, 1)
    assert "old" not in {item.event.trace_id for item in taken.decided}
    lake = LakeRows([rows([trace("old", 5)])], [rows([feedback("f", "old", 10)])])
    (event,) = missing_events(lake, SCALES, as_of=NOW, now=NOW)
    assert [item.feedback_id for item in event.evidence] == ["f"]


def test_feedback_whose_trace_never_comes_gets_its_label_from_the_batch_job() -> None:
    """The worker lets it go after the window; the batch job labels it exactly once."""
    join = LabelJoin(SCALES, window=100 * SECOND)
    join.add(FEEDBACK, rows([feedback("f", "never", 10)]))
    join.add(TRACE, rows([trace("now", 1_000)]))
    taken = join.decide(now=NOW)
    assert taken.counts.unmatched == 1
    assert join.size().waiting == 0
    lake = LakeRows([], [rows([feedback("f", "never", 10)])])
    (event,) = missing_events(lake, SCALES, as_of=NOW, now=NOW)
    assert event.trace_id == "never"
    in_force = {"never": event.label_event_id}
    assert list(missing_events(lake, SCALES, as_of=NOW, now=NOW, in_force=in_force)) == []


def test_the_window_bounds_the_state_and_what_stays_still_joins() -> None:
    """Traces that leave the window free their memory; those in it keep their feedback."""
    join = LabelJoin(SCALES, window=1_000 * SECOND)
    for block in range(20):
        made = [trace(f"t{block}-{i}", block * 500 + i) for i in range(400)]
        said = [feedback(f"f{m.trace_id}", m.trace_id, block * 500 + 400) for m in made[::9]]
        join.add(TRACE, rows(made, start=block * 400))
        join.add(FEEDBACK, rows(said, start=block * 400))
        join.decide(now=NOW)
    assert join.size().traces < 2_000
    assert join.size().feedback < 250
    edit = feedback("edit", "t19-9", 9_950, kind="edit", value=None)
    join.add(FEEDBACK, rows([edit], start=9_000))
    (decided,) = join.decide(now=NOW).decided
    assert {item.feedback_id for item in decided.event.evidence} == {"ft19-9", "edit"}


def test_a_producer_whose_clock_is_wrong_does_not_close_the_window() -> None:
    """One trace from the year 2090 must not make everything else late."""
    join = LabelJoin(SCALES, window=DAY)
    join.add(TRACE, rows([trace("future", 60 * 365 * 86_400), trace("t", 0)], ingested=START))
    join.add(FEEDBACK, rows([feedback("f", "t")]))
    taken = join.decide(now=NOW)
    assert taken.counts.late_feedback == 0
    assert "t" in {item.event.trace_id for item in taken.decided}


def test_a_clock_that_jumps_stops_before_anything_is_taken() -> None:
    """With an impossible clock nothing is written, and nothing is lost."""
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("t", status="error")]))
    with pytest.raises(FatalError, match="clock"):
        join.decide(now=5)
    assert [item.event.trace_id for item in join.decide(now=NOW).decided] == ["t"]


def test_what_a_newer_contract_says_is_left_alone() -> None:
    """A kind, an actor or a value that this version does not know is no evidence and no error."""
    batch = rows([feedback("f", "t"), feedback("g", "t"), feedback("h", "t"), feedback("i", "t")])
    strange = batch.set_column(4, "kind", pa.array(["wink", "thumbs", "thumbs", "thumbs"]))
    column = batch.schema.get_field_index("actor")
    actors = pa.array(["end_user", "robot", "end_user", "end_user"])
    strange = strange.set_column(column, "actor", actors)
    column = batch.schema.get_field_index("value")
    strange = strange.set_column(column, "value", pa.array([-1.0, -1.0, -7.0, float("nan")]))
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("t")]))
    join.add(FEEDBACK, strange)
    events = [item.event for item in join.decide(now=NOW).decided]
    assert all(item.weight == 0 for event in events for item in event.evidence)


def test_a_dropped_partition_leaves_nothing_behind() -> None:
    """After a revocation neither its state nor its pending labels are there."""
    join = LabelJoin(SCALES)
    join.add(TRACE, rows([trace("a", status="error")], partition=0))
    join.add(TRACE, rows([trace("b", status="error")], partition=1))
    join.drop([0])
    assert join.partitions == {1}
    assert [item.event.trace_id for item in join.decide(now=NOW).decided] == ["b"]


def test_calls_that_repeat_all_day_are_retries_all_day() -> None:
    """A health check that sends the same prompt over and over is found out every time."""
    made = [trace(f"t{i}", i, session_id="s", input_tokens=7) for i in range(3_000)]
    join = LabelJoin(SCALES)
    join.add(TRACE, rows(made))
    decided = {item.event.trace_id for item in join.decide(now=NOW).decided}
    assert {f"t{i}" for i in range(2_999)} <= decided


@settings(max_examples=40)
@given(st.lists(st.sampled_from([f"k{i}" for i in range(300)]), max_size=400), st.data())
def test_the_index_is_a_dictionary(texts: list[str], data: st.DataObject) -> None:
    """Whatever is added, in whatever portions, is found at its row, and nothing else is."""
    unique = list(dict.fromkeys(texts))
    store = digest_ids(unique, "s")
    # All of one slot, as the worst case of a hash: only the second half tells the keys apart.
    if data.draw(st.booleans()):
        store = store.copy()
        store[:, 0] = 1
    index, at = HashIndex(), 0
    while at < len(unique):
        size = data.draw(st.integers(1, 100))
        index.add(np.arange(at, min(at + size, len(unique)), dtype=np.int32), store)
        at += size
    assert index.find(store, store).tolist() == list(range(len(unique)))
    absent = digest_ids(["never"], "s")
    assert index.find(absent, store).tolist() == [NO_ROW]
